// Writes what a GGUF file says before its values. Layer: models (pure).

import { ByteWriter } from '../base/byte-writer.ts';
import { ConfigError } from '../base/errors.ts';
import { bytesOf } from '../core/index.ts';
import { DEFAULT_ALIGNMENT, MAGIC, TENSOR_CODES, VALUE_TYPES, VERSION, type ValueType } from './gguf.ts';
import type { WeightType } from './weight-types.ts';

type ScalarType = Exclude<ValueType, 'array'>;

/** A metadata value to be written; `items` says what an array holds. */
export type GgufEntry =
  | { readonly key: string; readonly type: ScalarType; readonly value: number | bigint | boolean | string }
  | { readonly key: string; readonly items: ScalarType; readonly value: ArrayLike<number | bigint | boolean | string> };

/** A tensor to be written; `shape` in this repository's order. */
export interface GgufTensorToStore {
  readonly name: string;
  readonly type: WeightType;
  readonly shape: readonly number[];
}

function writeString(out: ByteWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  out.u64(bytes.length);
  out.raw(bytes);
}

function writeScalar(out: ByteWriter, type: ScalarType, value: number | bigint | boolean | string): void {
  if (type === 'string') return writeString(out, value as string);
  if (type === 'u64' || type === 'i64') return out[type](BigInt(value as number | bigint));
  out[type === 'bool' ? 'u8' : type](Number(value));
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
  const out = new ByteWriter();
  out.u32(MAGIC);
  out.u32(VERSION);
  out.u64(tensors.length);
  out.u64(metadata.length);
  for (const entry of metadata) {
    writeString(out, entry.key);
    if ('type' in entry) {
      out.u32(VALUE_TYPES.indexOf(entry.type));
      writeScalar(out, entry.type, entry.value);
    } else {
      out.u32(VALUE_TYPES.indexOf('array'));
      out.u32(VALUE_TYPES.indexOf(entry.items));
      out.u64(entry.value.length);
      for (let i = 0; i < entry.value.length; i++) writeScalar(out, entry.items, entry.value[i]!);
    }
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    writeString(out, name);
    out.u32(shape.length);
    for (const dim of [...shape].reverse()) out.u64(dim);
    out.u32(TENSOR_CODES[type]);
    out.u64(offset);
    const size = bytesOf({ shape, dtype: type });
    offset += size + paddingOf(size);
  }
  out.pad(DEFAULT_ALIGNMENT);
  return out.finish();
}
