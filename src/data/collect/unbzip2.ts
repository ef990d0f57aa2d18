// bzip2, decoded by our own code: no kept library has it in JavaScript, and Wikipedia's dumps are made of it. Layer: data (pure).
// A stream is `BZh1`…`BZh9`, blocks, and a checksum; several streams may follow one another (multistream dumps).
// Format: J. Tsai, "BZIP2: Format Specification" (2016). A block is decoded whole: at most 900 kB, and a run longer.

import { RefusedError } from './limits.ts';

const BLOCK_MARK = 0x314159265359, END_MARK = 0x177245385090;
const GROUP_SYMBOLS = 50, MAX_CODE_BITS = 20, RUN_A = 0, RUN_B = 1;

/** Bits of a stream of chunks, highest first. */
class BitReader {
  readonly #iterator: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #bits = 0;
  #count = 0;
  #offset = 0;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  /** Makes sure that `bytes` are at hand, so that reading them needs no waiting; fewer at the end. */
  async ensure(bytes: number): Promise<void> {
    while (this.#chunk.length - this.#at < bytes) {
      const { value, done } = await this.#iterator.next();
      if (done === true) return;
      this.#offset += this.#at;
      this.#chunk = this.#at === this.#chunk.length ? value : Buffer.concat([this.#chunk.subarray(this.#at), value]);
      this.#at = 0;
    }
  }

  /** Whether no whole byte is left. */
  get isEmpty(): boolean {
    return this.#at === this.#chunk.length && this.#count < 8;
  }

  get offset(): number {
    return this.#offset + this.#at;
  }

  /** @param n at most 24 */
  bits(n: number): number {
    while (this.#count < n) {
      const byte = this.#chunk[this.#at++];
      if (byte === undefined) throw new RefusedError('truncated', `The bzip2 stream ends at byte ${this.offset - 1}.`);
      this.#bits = ((this.#bits << 8) | byte) & 0x7fffffff;
      this.#count += 8;
    }
    this.#count -= n;
    return (this.#bits >>> this.#count) & ((1 << n) - 1);
  }

  toByte(): void {
    this.#count -= this.#count % 8;
  }
}

/** A block's table of code lengths, ready to decode with. */
type Codes = { minBits: number; maxBits: number; limit: Int32Array; base: Int32Array; symbols: Uint16Array };

/** The bytes of one or more bzip2 streams. @throws {RefusedError} `damaged` or `truncated` */
export async function* unbzip2(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = new BitReader(chunks), table = crcTable();
  for (let stream = 0;; stream++) {
    await reader.ensure(64);
    if (reader.isEmpty && stream > 0) return;
    const level = header(reader);
    let combined = 0;
    for (;;) {
      // A block is never larger coded than 900 kB and its tables: 20 bits a symbol is the most that a table can ask.
      await reader.ensure(level * 100_000 * 3 + 32_768);
      const mark = reader.bits(24) * 2 ** 24 + reader.bits(24), checksum = ((reader.bits(16) << 16) | reader.bits(16)) >>> 0;
      if (mark === END_MARK) {
        if (checksum !== combined) throw new RefusedError('damaged', 'The checksum of a bzip2 stream is wrong.');
        reader.toByte();
        break;
      }
      if (mark !== BLOCK_MARK) throw damaged(reader, 'no block begins where one should');
      let crc = 0xffffffff;
      for (const part of runsUndone(block(reader, level * 100_000))) {
        crc = crc32(part, crc, table);
        yield part;
      }
      if ((~crc >>> 0) !== checksum) throw damaged(reader, 'the checksum of a block is wrong');
      combined = (((combined << 1) | (combined >>> 31)) ^ checksum) >>> 0;
    }
  }
}

const damaged = (reader: BitReader, what: string): RefusedError => new RefusedError('damaged', `The bzip2 stream is damaged near byte ${reader.offset}: ${what}.`);

function header(reader: BitReader): number {
  const mark = reader.bits(24), level = reader.bits(8) - 48;
  if (mark !== 0x425a68 || level < 1 || level > 9) throw damaged(reader, 'no stream begins where one should');
  return level;
}

/** Decodes a block up to the Burrows–Wheeler transform, and undoes that. */
function block(reader: BitReader, most: number): Buffer {
  if (reader.bits(1) === 1) throw damaged(reader, 'randomised blocks are not read');
  const origin = reader.bits(24), used = usedSymbols(reader), nTables = reader.bits(3), nSelectors = reader.bits(15);
  if (used.length === 0 || nTables < 2 || nTables > 6 || nSelectors < 1) throw damaged(reader, 'its tables cannot be');
  const selectors = readSelectors(reader, nTables, nSelectors), size = used.length + 2, end = used.length + 1;
  const tables = Array.from({ length: nTables }, () => readCodes(reader, size)), counts = new Int32Array(256), links = new Uint32Array(most);
  let length = 0, run = 0, runBit = 1, group = -1, left = 0, codes = tables[0]!;
  const front = used.slice();
  for (;;) {
    if (left === 0) {
      if (++group >= nSelectors) throw damaged(reader, 'it needs more tables than it names');
      codes = tables[selectors[group]!]!;
      left = GROUP_SYMBOLS;
    }
    left--;
    const symbol = decode(reader, codes);
    if (symbol <= RUN_B) {
      run += runBit << (symbol === RUN_A ? 0 : 1);
      runBit <<= 1;
      if (run > most) throw damaged(reader, 'a run is too long');
      continue;
    }
    if (run > 0) {
      const byte = front[0]!;
      if (length + run > most) throw damaged(reader, 'a block is too long');
      counts[byte]! += run;
      links.fill(byte, length, length + run);
      length += run;
      run = 0;
      runBit = 1;
    }
    if (symbol === end) break;
    const at = symbol - 1, byte = front[at]!;
    front.copyWithin(1, 0, at);
    front[0] = byte;
    if (length === most) throw damaged(reader, 'a block is too long');
    counts[byte]!++;
    links[length++] = byte;
  }
  if (origin >= length) throw damaged(reader, 'its origin is outside');
  return untransform(links, counts, length, origin);
}

function usedSymbols(reader: BitReader): Uint8Array {
  const groups = reader.bits(16), used: number[] = [];
  for (let high = 0; high < 16; high++) {
    if ((groups & (0x8000 >> high)) === 0) continue;
    const bits = reader.bits(16);
    for (let low = 0; low < 16; low++) if ((bits & (0x8000 >> low)) !== 0) used.push(high * 16 + low);
  }
  return Uint8Array.from(used);
}

/** Which table each group of 50 symbols uses, by move to front. */
function readSelectors(reader: BitReader, nTables: number, nSelectors: number): Uint8Array {
  const front = Array.from({ length: nTables }, (_, i) => i), selectors = new Uint8Array(nSelectors);
  for (let i = 0; i < nSelectors; i++) {
    let at = 0;
    while (reader.bits(1) === 1) if (++at >= nTables) throw damaged(reader, 'a selector names no table');
    const [table] = front.splice(at, 1);
    front.unshift(table!);
    selectors[i] = table!;
  }
  return selectors;
}

/** A table of canonical Huffman codes, its lengths as differences. */
function readCodes(reader: BitReader, size: number): Codes {
  const lengths = new Uint8Array(size);
  let bits = reader.bits(5);
  for (let i = 0; i < size; i++) {
    for (;;) {
      if (bits < 1 || bits > MAX_CODE_BITS) throw damaged(reader, 'a code has no length that can be');
      if (reader.bits(1) === 0) break;
      bits += reader.bits(1) === 0 ? 1 : -1;
    }
    lengths[i] = bits;
  }
  const minBits = lengths.reduce((a, b) => Math.min(a, b)), maxBits = lengths.reduce((a, b) => Math.max(a, b));
  const limit = new Int32Array(MAX_CODE_BITS + 2).fill(-1), base = new Int32Array(MAX_CODE_BITS + 2), symbols = new Uint16Array(size);
  let code = 0, seen = 0;
  for (let length = minBits; length <= maxBits; length++) {
    base[length] = seen - code;
    for (let i = 0; i < size; i++) {
      if (lengths[i] !== length) continue;
      symbols[seen++] = i;
      code++;
    }
    limit[length] = code - 1;
    code <<= 1;
  }
  return { minBits, maxBits, limit, base, symbols };
}

function decode(reader: BitReader, { minBits, maxBits, limit, base, symbols }: Codes): number {
  let length = minBits, code = reader.bits(minBits);
  while (code > limit[length]!) {
    if (++length > maxBits) throw damaged(reader, 'a code stands for nothing');
    code = (code << 1) | reader.bits(1);
  }
  const symbol = symbols[base[length]! + code];
  if (symbol === undefined) throw damaged(reader, 'a code stands for nothing');
  return symbol;
}

/** The inverse Burrows–Wheeler transform. `links` holds the last column and becomes the way through it. */
function untransform(links: Uint32Array, counts: Int32Array, length: number, origin: number): Buffer {
  const starts = new Int32Array(256);
  for (let byte = 1; byte < 256; byte++) starts[byte] = starts[byte - 1]! + counts[byte - 1]!;
  for (let i = 0; i < length; i++) links[starts[links[i]! & 0xff]!++]! |= i << 8;
  const bytes = Buffer.allocUnsafe(length);
  let at = links[origin]! >>> 8;
  for (let i = 0; i < length; i++) {
    const link = links[at]!;
    bytes[i] = link & 0xff;
    at = link >>> 8;
  }
  return bytes;
}

/** The first coding undone: after four equal bytes a count of further ones. Comes in parts of bounded size. */
function* runsUndone(bytes: Buffer): Generator<Buffer> {
  const PART = 2 ** 16;
  let out = Buffer.allocUnsafe(PART + 256), length = 0, same = 0, last = -1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (same === 4) {
      out.fill(last, length, length + byte);
      length += byte;
      same = 0;
      last = -1;
    } else {
      same = byte === last ? same + 1 : 1;
      last = byte;
      out[length++] = byte;
    }
    if (length >= PART) {
      yield out.subarray(0, length);
      out = Buffer.allocUnsafe(PART + 256);
      length = 0;
    }
  }
  if (length > 0) yield out.subarray(0, length);
}

/** CRC-32 with the highest bit first, polynomial 0x04c11db7. */
function crc32(bytes: Buffer, crc: number, table: Uint32Array): number {
  for (let i = 0; i < bytes.length; i++) crc = ((crc << 8) ^ table[((crc >>> 24) ^ bytes[i]!) & 0xff]!) >>> 0;
  return crc;
}

const crcTable = (): Uint32Array =>
  Uint32Array.from({ length: 256 }, (_, i) => {
    let value = i << 24;
    for (let bit = 0; bit < 8; bit++) value = (value & 0x80000000) !== 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
    return value >>> 0;
  });
