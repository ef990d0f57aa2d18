// The safetensors format: eight bytes of length, a JSON header of names, types, shapes and offsets, then the values.
// Layer: models (pure: bytes in, bytes out). Every promise of the header is checked before anybody relies on it.
// See https://github.com/huggingface/safetensors, "Format".

import { FormatError } from '../base/errors.ts';
import { parseJson, type JsonNode } from '../base/checked-json.ts';

/** Bytes of an element, by the format's names of types. */
const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

/** The reference implementation refuses longer headers too, so that a lying length cannot fill memory. */
const MAX_HEADER_BYTES = 100_000_000;

/** A tensor of a file. `begin` and `end` are bytes from the beginning of the file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file holds, in the order of its bytes. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The number of header bytes after the first eight.
 *
 * @param prefix the first eight bytes
 * @param fileBytes size of the whole file
 * @throws {FormatError} if the file cannot be that long
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, path: string): number {
  if (prefix.length < 8 || fileBytes < 8) throw damaged(path, `it has ${fileBytes} bytes, fewer than the eight that every safetensors file begins with`, 0);
  const view = new DataView(prefix.buffer, prefix.byteOffset, 8), length = Number(view.getBigUint64(0, true));
  if (length > fileBytes - 8) throw damaged(path, `its header claims ${length} bytes, but the file has ${fileBytes}`, 0);
  if (length > MAX_HEADER_BYTES) throw damaged(path, `its header claims ${length} bytes; more than ${MAX_HEADER_BYTES} are not read`, 0);
  return length;
}

/**
 * Reads a header.
 *
 * @param json the header's bytes, without the eight before it
 * @param fileBytes size of the whole file
 * @throws {FormatError} with the offset in the file: no UTF-8 or JSON, a key twice, an unknown type, a shape that does
 *   not fit the bytes, tensors that overlap, leave holes or pass the end
 */
export function parseHeader(json: Uint8Array, fileBytes: number, path: string): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch (cause) {
    throw new FormatError(`Cannot read "${path}": its header is not UTF-8. ${REMEDY}`, { path, offset: 8, cause });
  }
  if (!text.startsWith('{')) throw damaged(path, 'its header does not begin with "{"', 8);
  const root = parseJson(text, path), tensors: StoredTensor[] = [], metadata = new Map<string, string>();
  const start = 8 + json.length;
  for (const name of Object.keys(root.object())) {
    if (name === '__metadata__') {
      const fields = root.field(name);
      for (const key of Object.keys(fields.object())) metadata.set(key, fields.field(key).string());
    } else if (name === '__proto__') {
      throw damaged(path, 'it names a tensor "__proto__"', 8);
    } else {
      tensors.push(parseTensor(name, root.field(name), start, fileBytes, path));
    }
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkTiling(tensors, start, fileBytes, path);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function parseTensor(name: string, node: JsonNode, start: number, fileBytes: number, path: string): StoredTensor {
  const refuse = (state: string, offset = 8): never => {
    throw damaged(path, `tensor "${name}" ${state}`, offset);
  };
  for (const key of Object.keys(node.object())) if (!['dtype', 'shape', 'data_offsets'].includes(key)) refuse(`has an unknown field "${key}"`);
  const dtype = node.field('dtype').string(), width = Object.hasOwn(DTYPE_BYTES, dtype) ? DTYPE_BYTES[dtype]! : refuse(`has the unknown type "${dtype}"`);
  const shape = naturals(node.field('shape'), 'shape', refuse), offsets = naturals(node.field('data_offsets'), 'data_offsets', refuse);
  if (offsets.length !== 2) refuse(`has ${offsets.length} data_offsets instead of two`);
  const [from, to] = offsets as [number, number], begin = start + from, end = start + to;
  const bytes = shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, width);
  if (!Number.isSafeInteger(bytes)) refuse(`has the shape [${shape.join(', ')}], whose size passes 2^53 bytes`);
  if (from > to) refuse(`ends at ${to}, before its beginning at ${from}`);
  if (to - from !== bytes) refuse(`of type ${dtype} and shape [${shape.join(', ')}] needs ${bytes} bytes, but has ${to - from}`, begin);
  if (end > fileBytes) refuse(`ends at byte ${end}, but the file has ${fileBytes}: it is cut short`, fileBytes);
  return { name, dtype, shape, begin, end };
}

function naturals(node: JsonNode, field: string, refuse: (state: string) => never): number[] {
  return node.array().map((item) => {
    if (!Number.isSafeInteger(item) || (item as number) < 0) refuse(`has ${JSON.stringify(item)} in its ${field}, which is no whole number from 0 to 2^53 − 1`);
    return item as number;
  });
}

/** Sorted tensors must lie side by side from the header's end to the file's. */
function checkTiling(tensors: readonly StoredTensor[], start: number, fileBytes: number, path: string): void {
  let end = start, before = 'the header';
  for (const { name, begin, end: next } of tensors) {
    if (begin < end) throw damaged(path, `tensor "${name}" overlaps ${before}`, begin);
    if (begin > end) throw damaged(path, `${begin - end} bytes between ${before} and tensor "${name}" belong to nothing`, end);
    end = next;
    before = `tensor "${name}"`;
  }
  if (end < fileBytes) throw damaged(path, `${fileBytes - end} bytes after ${before} belong to nothing`, end);
}

/** A tensor to be written. */
export interface TensorToStore {
  readonly name: string;
  readonly dtype: 'F32' | 'BF16' | 'F16' | 'I32' | 'I64' | 'U8';
  readonly shape: readonly number[];
}

/**
 * The bytes before the values: length and header, padded with spaces so that the values begin at a multiple of eight.
 * The values follow in the order of `tensors`.
 */
export function formatHeader(tensors: readonly TensorToStore[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const fields: [string, unknown][] = [['__metadata__', metadata]];
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = begin + shape.reduce((product, dim) => product * dim, DTYPE_BYTES[dtype]!);
    fields.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  // Written pair by pair, so that a name such as "7" or "__proto__" keeps its place.
  const text = `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const json = new TextEncoder().encode(text), padded = Math.ceil(json.length / 8) * 8, bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

const REMEDY = 'Get another copy of it.';

function damaged(path: string, state: string, offset: number): FormatError {
  return new FormatError(`Cannot read "${path}": ${state}. ${REMEDY}`, { path, offset });
}
