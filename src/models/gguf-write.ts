// Writes what a GGUF file says before its values. Layer: models (pure).

import { ConfigError } from '../base/errors.ts';
import { DEFAULT_ALIGNMENT, MAGIC, TENSOR_CODES, tensorBytes, VALUE_BYTES, VALUE_TYPES, VERSION, type TensorType, type ValueType } from './gguf.ts';

type ScalarType = Exclude<ValueType, 'array'>;

/** A metadata value to be written; `items` says what an array holds. */
export type GgufEntry =
  | { readonly key: string; readonly type: ScalarType; readonly value: number | bigint | boolean | string }
  | { readonly key: string; readonly items: ScalarType; readonly value: ArrayLike<number | bigint | boolean | string> };

/** A tensor to be written; `shape` in this repository's order. */
export interface GgufTensorToStore {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

/** Bytes that grow. */
class Bytes {
  #bytes = new Uint8Array(2 ** 16);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  /** Makes room. @returns where */
  #room(count: number): number {
    if (this.length + count > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.length + count));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.length += count;
    return this.length - count;
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.scalar('u64', bytes.length);
    const at = this.#room(bytes.length); // may replace #bytes
    this.#bytes.set(bytes, at);
  }

  scalar(type: ScalarType, value: number | bigint | boolean | string): void {
    if (type === 'string') return this.string(value as string);
    const at = this.#room(VALUE_BYTES[type]), view = this.#view, number = Number(value);
    switch (type) {
      case 'u8':
      case 'bool':
        return view.setUint8(at, number);
      case 'i8':
        return view.setInt8(at, number);
      case 'u16':
        return view.setUint16(at, number, true);
      case 'i16':
        return view.setInt16(at, number, true);
      case 'u32':
        return view.setUint32(at, number, true);
      case 'i32':
        return view.setInt32(at, number, true);
      case 'f32':
        return view.setFloat32(at, number, true);
      case 'f64':
        return view.setFloat64(at, number, true);
      case 'u64':
        return view.setBigUint64(at, BigInt(value as number), true);
      case 'i64':
        return view.setBigInt64(at, BigInt(value as number), true);
      default:
        return type satisfies never;
    }
  }

  pad(alignment: number): void {
    this.#room(paddingOf(this.length, alignment));
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Bytes from `length` to the next multiple of the alignment. */
export function paddingOf(length: number, alignment = DEFAULT_ALIGNMENT): number {
  return (alignment - (length % alignment)) % alignment;
}

/**
 * The bytes before the values, padded. The values follow in the order of `tensors`, each padded to a multiple of 32
 * (`paddingOf`).
 *
 * @throws {ConfigError} if a key or a tensor's name is there twice
 */
export function formatGguf(metadata: readonly GgufEntry[], tensors: readonly GgufTensorToStore[]): Uint8Array {
  for (const names of [metadata.map(({ key }) => key), tensors.map(({ name }) => name)]) {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new ConfigError(`Cannot write a GGUF file: "${twice}" is there twice.`);
  }
  const out = new Bytes();
  out.scalar('u32', MAGIC);
  out.scalar('u32', VERSION);
  out.scalar('u64', tensors.length);
  out.scalar('u64', metadata.length);
  for (const entry of metadata) {
    out.string(entry.key);
    if ('type' in entry) {
      out.scalar('u32', VALUE_TYPES.indexOf(entry.type));
      out.scalar(entry.type, entry.value);
    } else {
      out.scalar('u32', VALUE_TYPES.indexOf('array'));
      out.scalar('u32', VALUE_TYPES.indexOf(entry.items));
      out.scalar('u64', entry.value.length);
      for (let i = 0; i < entry.value.length; i++) out.scalar(entry.items, entry.value[i]!);
    }
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    out.string(name);
    out.scalar('u32', shape.length);
    for (const dim of [...shape].reverse()) out.scalar('u64', dim);
    out.scalar('u32', TENSOR_CODES[type]);
    out.scalar('u64', offset);
    const size = tensorBytes(type, shape);
    offset += size + paddingOf(size);
  }
  out.pad(DEFAULT_ALIGNMENT);
  return out.take();
}
