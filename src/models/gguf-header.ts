// Reads what a GGUF file says before its values. Layer: models (pure: bytes come from a callback).
// Every number is checked before anybody relies on it: a count against the bytes that are left, an offset against the file.

import { FormatError } from '../base/errors.ts';
import { sizeOf } from '../core/index.ts';
import { DEFAULT_ALIGNMENT, FOREIGN_TYPES, MAGIC, VALUE_BYTES, VALUE_TYPES, type GgufHeader, type GgufTensor, type GgufValue, type NumberArray, type ValueType } from './gguf.ts';
import { TENSOR_TYPES, tensorBlock } from './gguf-types.ts';

/** Bytes of a file. */
export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** Fills `bytes` from `position` on, which is within the file. */
  read(bytes: Uint8Array, position: number): unknown;
}

/** Longer headers are refused: a vocabulary of 256,000 tokens with merges takes some 20 MB. */
const MAX_HEADER_BYTES = 100_000_000;

/** Read at a time. */
const CHUNK_BYTES = 2 ** 16;

/** Arrays in arrays go no deeper; nobody writes even two. */
const MAX_DEPTH = 4;

/** A tensor has at most four axes; GGML_MAX_DIMS. */
const MAX_DIMS = 4;

const ARRAYS: Partial<Record<ValueType, new(buffer: ArrayBuffer) => NumberArray>> = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  bool: Uint8Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
  f64: Float64Array,
};

/** A place in the file that moves on as values are read. */
class Cursor {
  at = 0;
  readonly #source: ByteSource;
  readonly #limit: number;
  #chunk = new Uint8Array(0);
  #start = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#limit = Math.min(source.size, MAX_HEADER_BYTES);
  }

  /** Bytes that are left of what a header may have. */
  get left(): number {
    return this.#limit - this.at;
  }

  fail(state: string, offset = this.at): FormatError {
    return new FormatError(`Cannot read "${this.#source.path}": ${state}. Get another copy of it.`, { path: this.#source.path, offset });
  }

  /** The next bytes, which stay valid until the next call. */
  bytes(count: number, what: string): Uint8Array {
    if (count > this.left) {
      const state = this.#limit < this.#source.size ? `its header passes ${MAX_HEADER_BYTES} bytes` : `the file has ${this.#source.size} bytes and is cut short`;
      throw this.fail(`${what} at byte ${this.at} needs ${count} bytes, but ${state}`);
    }
    if (this.at < this.#start || this.at + count > this.#start + this.#chunk.length) {
      this.#chunk = new Uint8Array(Math.min(Math.max(count, CHUNK_BYTES), this.left));
      this.#source.read(this.#chunk, this.at);
      this.#start = this.at;
    }
    const from = this.at - this.#start;
    this.at += count;
    return this.#chunk.subarray(from, from + count);
  }

  #view(count: number, what: string): DataView {
    const bytes = this.bytes(count, what);
    return new DataView(bytes.buffer, bytes.byteOffset, count);
  }

  u32(what: string): number {
    return this.#view(4, what).getUint32(0, true);
  }

  /** A count or a length; beyond 2^53 nothing can be counted. */
  natural(what: string): number {
    const value = this.#view(8, what).getBigUint64(0, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`${what} is ${value}, more than any file holds`, this.at - 8);
    return Number(value);
  }

  string(what: string): string {
    const length = this.natural(`the length of ${what}`), offset = this.at;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes(length, what));
    } catch (cause) {
      if (cause instanceof FormatError) throw cause;
      throw this.fail(`${what} is not UTF-8`, offset);
    }
  }

  number(type: ValueType, what: string): GgufValue {
    const view = this.#view(VALUE_BYTES[type], what);
    switch (type) {
      case 'u8':
        return view.getUint8(0);
      case 'i8':
        return view.getInt8(0);
      case 'u16':
        return view.getUint16(0, true);
      case 'i16':
        return view.getInt16(0, true);
      case 'u32':
        return view.getUint32(0, true);
      case 'i32':
        return view.getInt32(0, true);
      case 'f32':
        return view.getFloat32(0, true);
      case 'f64':
        return view.getFloat64(0, true);
      case 'u64':
        return narrowed(view.getBigUint64(0, true));
      case 'i64':
        return narrowed(view.getBigInt64(0, true));
      case 'bool':
        if (view.getUint8(0) > 1) throw this.fail(`${what} is ${view.getUint8(0)}, which is neither false (0) nor true (1)`, this.at - 1);
        return view.getUint8(0) === 1;
      case 'string':
      case 'array':
        throw new TypeError(`${type} is no number`);
      default:
        return type satisfies never;
    }
  }
}

const narrowed = (value: bigint): number | bigint => (BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value);

/**
 * Reads the header.
 *
 * @throws {FormatError} with the offset: no GGUF, another version or byte order, a count, length or offset that the file
 *   has no room for, a name twice, an unknown type, tensors that overlap, leave holes, or pass the end
 */
export function parseGguf(source: ByteSource): GgufHeader {
  const cursor = new Cursor(source);
  if (source.size < 24) throw cursor.fail(`it has ${source.size} bytes, fewer than the 24 that every GGUF file begins with`);
  if (cursor.u32('the first word') !== MAGIC) throw cursor.fail('it does not begin with "GGUF"', 0);
  const version = cursor.u32('the version');
  if (version === 0x03000000 || version === 0x02000000) throw cursor.fail('it is big-endian, which is not supported', 4);
  if (version !== 2 && version !== 3) throw cursor.fail(`it has version ${version}; supported are 2 and 3`, 4);
  const nTensors = cursor.natural('the number of tensors'), nValues = cursor.natural('the number of metadata values');
  checkCount(cursor, nValues, 'metadata values', 13, 16); // a key's length, a type, a byte
  checkCount(cursor, nTensors, 'tensors', 24, 8); // a name's length, axes, type, offset
  const metadata = readMetadata(cursor, nValues);
  const described = readDescriptions(cursor, nTensors), alignment = alignmentOf(cursor, metadata);
  const start = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = described.map((tensor) => placed(cursor, tensor, { start, alignment, size: source.size }));
  checkTiling(cursor, tensors, { start, alignment, size: source.size });
  return { version, metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

function checkCount(cursor: Cursor, count: number, what: string, bytesEach: number, offset: number): void {
  if (count * bytesEach > cursor.left) throw cursor.fail(`it claims ${count} ${what}, which its ${cursor.left} bytes cannot hold`, offset);
}

function readMetadata(cursor: Cursor, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const offset = cursor.at, key = cursor.string(`the key of metadata value ${i}`);
    if (metadata.has(key)) throw cursor.fail(`the key "${key}" is there twice`, offset);
    metadata.set(key, readValue(cursor, readType(cursor, `"${key}"`), `"${key}"`, 0));
  }
  return metadata;
}

function readType(cursor: Cursor, what: string): ValueType {
  const code = cursor.u32(`the type of ${what}`), type = VALUE_TYPES[code];
  if (type === undefined) throw cursor.fail(`${what} has the unknown type ${code}`, cursor.at - 4);
  return type;
}

function readValue(cursor: Cursor, type: ValueType, what: string, depth: number): GgufValue {
  if (type === 'string') return cursor.string(what);
  if (type !== 'array') return cursor.number(type, what);
  if (depth === MAX_DEPTH) throw cursor.fail(`${what} nests arrays deeper than ${MAX_DEPTH}`);
  const item = readType(cursor, `the items of ${what}`), count = cursor.natural(`the length of ${what}`);
  checkCount(cursor, count, `items of ${what}`, VALUE_BYTES[item], cursor.at - 8);
  const Numbers = ARRAYS[item];
  if (Numbers !== undefined) return new Numbers(Uint8Array.from(cursor.bytes(count * VALUE_BYTES[item], what)).buffer);
  return Array.from({ length: count }, (_, i) => readValue(cursor, item, `${what}[${i}]`, depth + 1)) as GgufValue;
}

function alignmentOf(cursor: Cursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment === 'number' && alignment >= 8 && alignment <= 2 ** 16 && Number.isInteger(Math.log2(alignment))) return alignment;
  throw cursor.fail(`general.alignment is ${String(alignment)}, but must be a power of two from 8 to 65536`);
}

/** A description with its offset among the values. */
interface Described extends Omit<GgufTensor, 'begin' | 'end'> {
  readonly offset: number;
  /** Where its offset stands in the file. */
  readonly place: number;
}

function readDescriptions(cursor: Cursor, count: number): Described[] {
  const names = new Set<string>();
  return Array.from({ length: count }, (_, i) => {
    const at = cursor.at, name = cursor.string(`the name of tensor ${i}`), what = `tensor "${name}"`;
    if (names.has(name)) throw cursor.fail(`${what} is there twice`, at);
    names.add(name);
    const nDims = cursor.u32(`the number of axes of ${what}`);
    if (nDims > MAX_DIMS) throw cursor.fail(`${what} has ${nDims} axes; at most ${MAX_DIMS} are possible`, cursor.at - 4);
    const shape = Array.from({ length: nDims }, () => cursor.natural(`an axis of ${what}`)).reverse();
    const code = cursor.u32(`the type of ${what}`), type = TENSOR_TYPES.get(code);
    if (type === undefined) throw cursor.fail(`${what} has the type ${FOREIGN_TYPES[code] ?? code}, which is not supported; supported are ${[...TENSOR_TYPES.values()].join(', ').toUpperCase()}`, cursor.at - 4);
    const row = shape.at(-1) ?? 1, { values } = tensorBlock(type);
    if (row % values !== 0) throw cursor.fail(`${what} has rows of ${row} values, no multiple of the ${values} in a block of ${type}`, at);
    const size = shape.reduce((product, dim) => product * dim, 8); // f64 has the largest units
    if (!shape.includes(0) && !Number.isSafeInteger(size)) throw cursor.fail(`${what} has the shape [${shape.join(', ')}], whose size passes 2^53 bytes`, at);
    return { name, type, shape, offset: cursor.natural(`the offset of ${what}`), place: cursor.at - 8 };
  });
}

interface Bounds {
  readonly start: number;
  readonly alignment: number;
  readonly size: number;
}

function placed(cursor: Cursor, { name, type, shape, offset, place }: Described, { start, alignment, size }: Bounds): GgufTensor {
  if (offset % alignment !== 0) throw cursor.fail(`tensor "${name}" begins at ${offset}, which is no multiple of the alignment ${alignment}`, place);
  const begin = start + offset, block = tensorBlock(type), end = begin + (sizeOf(shape) / block.values) * block.bytes;
  if (end > size) throw cursor.fail(`tensor "${name}" ends at byte ${end}, but the file has ${size}: it is cut short`, place);
  return { name, type, shape, begin, end };
}

/** Tensors lie one behind the other; between them is only what the alignment takes. */
function checkTiling(cursor: Cursor, tensors: readonly GgufTensor[], { start, alignment, size }: Bounds): void {
  let end = start, before = 'the header';
  for (const tensor of [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (tensor.begin < end) throw cursor.fail(`tensor "${tensor.name}" overlaps ${before}`, tensor.begin);
    if (tensor.begin - end >= alignment) throw cursor.fail(`${tensor.begin - end} bytes between ${before} and tensor "${tensor.name}" belong to nothing`, end);
    end = tensor.end;
    before = `tensor "${tensor.name}"`;
  }
  if (size - end >= alignment) throw cursor.fail(`${size - end} bytes after ${before} belong to nothing`, end);
}
