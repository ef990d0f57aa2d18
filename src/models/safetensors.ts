// The safetensors format: eight bytes of length, a JSON header of names, types, shapes and offsets, then the values.
// Layer: models (pure: bytes in, bytes out). Every promise of the header is checked before anybody relies on it.
// See https://github.com/huggingface/safetensors, "Format".

import { FormatError } from '../base/errors.ts';
import { foreignKind } from './foreign-files.ts';
import { HeaderScanner } from './header-scanner.ts';
import { storedType } from './stored-types.ts';

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
  const foreign = length > fileBytes - 8 ? foreignKind(prefix) : undefined; // as a length their first bytes are beyond any file
  if (foreign !== undefined) throw new FormatError(`Cannot read "${path}": ${foreign}.`, { path, offset: 0 });
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
  const file = { path, start: 8 + json.length, bytes: fileBytes }, scanner = new HeaderScanner(text, path, 8);
  const tensors: StoredTensor[] = [], metadata = new Map<string, string>();
  scanner.object('the header', (name) => {
    if (name === '__metadata__')
      scanner.object(name, (key) => {
        if (metadata.size === MAX_METADATA) throw scanner.fail(`${name} has more than ${MAX_METADATA} texts`);
        metadata.set(key, scanner.string(`"${key}" of ${name}`));
      });
    else if (name === '__proto__') throw scanner.fail('it names a tensor "__proto__"');
    else tensors.push(readTensor(name, scanner, file));
  });
  scanner.end();
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkTiling(tensors, file.start, fileBytes, path);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

/** Writers keep a few words about a file; a million are there to fill memory. */
const MAX_METADATA = 2 ** 16;

/** What a tensor is checked against. */
interface File {
  readonly path: string;
  /** Where values begin. */
  readonly start: number;
  readonly bytes: number;
}

/** No array library has more axes than 64 (NumPy's limit). */
const MAX_AXES = 64;

function readTensor(name: string, scanner: HeaderScanner, { path, start, bytes: fileBytes }: File): StoredTensor {
  const place = scanner.place, what = `tensor "${name.slice(0, 200)}"`;
  let dtype: string | undefined;
  const shape: number[] = [], offsets: number[] = [], given = new Set<string>();
  scanner.object(what, (key) => {
    given.add(key);
    if (key === 'dtype') dtype = scanner.string(`the dtype of ${what}`);
    else if (key === 'shape') readNaturals(scanner, shape, `the shape of ${what}`);
    else if (key === 'data_offsets') readNaturals(scanner, offsets, `data_offsets of ${what}`);
    else throw scanner.fail(`${what} has an unknown field "${key.slice(0, 60)}"`);
  });
  const refuse = (state: string): never => {
    throw scanner.fail(`${what} ${state}`, place);
  };
  for (const key of ['dtype', 'shape', 'data_offsets']) if (!given.has(key)) refuse(`has no ${key}`);
  const width = storedType(dtype!)?.bytes ?? refuse(`has the unknown type "${dtype!.slice(0, 60)}"`);
  if (offsets.length !== 2) refuse(`has ${offsets.length} data_offsets instead of two`);
  const [from, to] = offsets as [number, number], begin = start + from, end = start + to;
  const bytes = shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, width);
  if (!Number.isSafeInteger(bytes)) refuse(`has the shape [${shape.join(', ')}], whose size passes 2^53 bytes`);
  if (from > to) refuse(`ends at ${to}, before its beginning at ${from}`);
  if (to - from !== bytes) refuse(`of type ${dtype} and shape [${shape.join(', ')}] needs ${bytes} bytes, but has ${to - from}`);
  if (end > fileBytes) throw damaged(path, `${what} ends at byte ${end}, but the file has ${fileBytes}: it is cut short`, fileBytes);
  return { name, dtype: dtype!, shape, begin, end };
}

function readNaturals(scanner: HeaderScanner, out: number[], what: string): void {
  scanner.array(what, () => {
    if (out.length === MAX_AXES) throw scanner.fail(`${what} has more than ${MAX_AXES} numbers`);
    out.push(scanner.natural(what));
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
    const end = begin + shape.reduce((product, dim) => product * dim, storedType(dtype)!.bytes);
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
