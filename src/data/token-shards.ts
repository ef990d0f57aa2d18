// Reads a folder of token shards as one long sequence. Layer: data (file access).
// The executor's native core can map files (`mapFile`); without it, tokens are read at their position when asked for, and
// the operating system's cache does the rest. Either way nothing grows with the size of the data but the document table.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from '../base/durable.ts';
import { ConfigError, FormatError } from '../base/errors.ts';
import { openToRead, readInto } from '../base/read-file.ts';
import { assertLittleEndian, decodeHeader, documentTableOffset, SHARD_HEADER_BYTES, SHARD_VERSION, shardBytes, type ShardHeader, type TokenArray } from './shard-format.ts';
import { MANIFEST_NAME, type ShardManifest } from './shard-writer.ts';

/** How to open shards. */
export type OpenOptions = {
  /** Maps a whole file into memory, read-only; the native core has one. */
  mapFile?: (path: string) => ArrayBuffer;
  /** Read everything once and compare it with the checksums (default true; about 1 s for each 1.5 GB). */
  verify?: boolean;
};

type Shard = {
  header: ShardHeader;
  /** Position in the sequence of the shard's first token. */
  first: number;
  documents: Uint32Array;
  /** Only where the file is mapped. */
  mapped: TokenArray | undefined;
  fd: number;
  path: string;
};

/** A sequence of tokens on disk, with the positions where documents begin. */
export class TokenShards {
  readonly manifest: ShardManifest;
  /** Number of tokens in the sequence. */
  readonly length: number;
  /** Id that stands before every document, or undefined. */
  readonly endOfText: number | undefined;
  readonly #shards: Shard[];
  #last: Shard;
  #scratch = new Uint8Array(0);
  #closed = false;

  private constructor(manifest: ShardManifest, shards: Shard[]) {
    this.manifest = manifest;
    this.length = manifest.tokens;
    this.endOfText = manifest.endOfText ?? undefined;
    this.#shards = shards;
    this.#last = shards[0]!;
  }

  /**
   * Opens and verifies a folder that {@link ShardWriter} made.
   *
   * @throws {StorageError} if a file is missing or unreadable
   * @throws {FormatError} {path, offset} if one is truncated, damaged or from another build
   */
  static open(dir: string, options: OpenOptions = {}): TokenShards {
    assertLittleEndian();
    const manifest = readManifest(join(dir, MANIFEST_NAME));
    const shards: Shard[] = [];
    try {
      let first = 0;
      for (const entry of manifest.shards) {
        const shard = openShard(join(dir, entry.file), first, manifest, entry.contentHash, options);
        shards.push(shard);
        first += shard.header.tokens;
      }
      if (first !== manifest.tokens || first === 0) {
        throw damaged(join(dir, MANIFEST_NAME), 0, `it promises ${manifest.tokens} tokens, and the shards hold ${first}`);
      }
    } catch (error) {
      for (const shard of shards) if (shard.fd >= 0) closeSync(shard.fd);
      throw error;
    }
    return new TokenShards(manifest, shards);
  }

  /** Number of documents in the sequence. */
  get documents(): number {
    return this.manifest.documents;
  }

  /**
   * Copies tokens out of the sequence.
   *
   * @param out filled from `offset` on
   * @param position of the first token in the sequence
   * @param count how many; position + count ≤ length
   * @throws {StorageError} if the file can no longer be read
   */
  read(out: Int32Array | Uint32Array, position: number, count: number, offset = 0): void {
    if (this.#closed) throw new ConfigError('Cannot read tokens: the shards are closed.');
    if (position < 0 || count < 0 || position + count > this.length) {
      throw new ConfigError(`Cannot read tokens ${position} … ${position + count - 1}: the sequence has ${this.length}.`);
    }
    while (count > 0) {
      const shard = this.#shardAt(position);
      const start = position - shard.first, take = Math.min(count, shard.header.tokens - start);
      const source = shard.mapped ?? this.#readTokens(shard, start, take);
      const base = (shard.mapped === undefined ? 0 : start) - offset;
      for (let i = offset; i < offset + take; i++) out[i] = source[base + i]!;
      position += take;
      offset += take;
      count -= take;
    }
  }

  /**
   * Positions in [from, to) at which a document begins, ascending.
   *
   * @param out receives them, offset by `-from`; to - from is always enough room
   * @returns how many there are
   */
  documentStarts(out: Int32Array | Uint32Array, from: number, to: number): number {
    let found = 0;
    for (let position = from; position < to;) {
      const shard = this.#shardAt(position), end = Math.min(to, shard.first + shard.header.tokens);
      const table = shard.documents;
      for (let i = lowerBound(table, position - shard.first); i < table.length && shard.first + table[i]! < end; i++) {
        out[found++] = shard.first + table[i]! - from;
      }
      position = end;
    }
    return found;
  }

  /** Number of the document that token `position` belongs to, from 0; -1 before the first. */
  documentAt(position: number): number {
    if (!Number.isInteger(position) || position < 0 || position >= this.length) throw new ConfigError(`Cannot find token ${position}: the sequence has ${this.length} (0 … ${this.length - 1}).`);
    let before = -1;
    for (const { first, header, documents } of this.#shards) {
      if (position < first + header.tokens) return before + lowerBound(documents, position - first + 1);
      before += documents.length;
    }
    return before;
  }

  /** The file that token `position` lies in. */
  fileAt(position: number): string {
    return this.#shardAt(position).path;
  }

  /** Position and length in the sequence of document `index` (the end-of-text id before it counts). */
  documentRange(index: number): { position: number; length: number } {
    let before = 0;
    for (const [i, shard] of this.#shards.entries()) {
      if (index < before + shard.documents.length) {
        const position = shard.first + shard.documents[index - before]!;
        return { position, length: this.#nextStart(i, index - before + 1) - position };
      }
      before += shard.documents.length;
    }
    throw new ConfigError(`Cannot find document ${index}: the sequence has ${before} (0 … ${before - 1}).`);
  }

  /** Closes the files. Mapped memory is let go when nothing refers to it any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const shard of this.#shards) if (shard.fd >= 0) closeSync(shard.fd);
  }

  #nextStart(shard: number, document: number): number {
    for (let i = shard; i < this.#shards.length; i++, document = 0) {
      const { documents, first } = this.#shards[i]!;
      if (document < documents.length) return first + documents[document]!;
    }
    return this.length;
  }

  #shardAt(position: number): Shard {
    const last = this.#last;
    if (position >= last.first && position < last.first + last.header.tokens) return last;
    let low = 0, high = this.#shards.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#shards[middle]!.first <= position) low = middle;
      else high = middle - 1;
    }
    return (this.#last = this.#shards[low]!);
  }

  #readTokens(shard: Shard, start: number, count: number): TokenArray {
    const width = shard.header.bytesPerToken;
    if (this.#scratch.length < count * width) this.#scratch = new Uint8Array(Math.ceil((count * width) / 64) * 64);
    const bytes = this.#scratch.subarray(0, count * width);
    readExactly(shard.fd, bytes, SHARD_HEADER_BYTES + start * width, shard.path);
    return width === 2 ? new Uint16Array(bytes.buffer, 0, count) : new Uint32Array(bytes.buffer, 0, count);
  }
}

/** First index whose value is at least `value`. */
function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function damaged(path: string, offset: number, state: string): FormatError {
  return new FormatError(
    `Cannot read the token shard "${path}": ${state} (at byte ${offset}). Build the data again, or restore the file from a copy.`,
    { path, offset },
  );
}

function readManifest(path: string): ShardManifest {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw storageError('open the token shards by their manifest', path, cause);
  }
  let manifest: Partial<ShardManifest> | null;
  try {
    manifest = JSON.parse(text) as Partial<ShardManifest> | null;
  } catch (cause) {
    throw new FormatError(`Cannot read "${path}": it is not valid JSON. Build the data again.`, { path, cause });
  }
  if (manifest?.version !== SHARD_VERSION) {
    throw new FormatError(
      `Cannot read "${path}": its version is ${String(manifest?.version)}, and this program reads version ${SHARD_VERSION}. Build the data again.`,
      { path },
    );
  }
  const isShard = (s: Partial<ShardManifest['shards'][number]>): boolean => typeof s?.file === 'string' && /^[\w.-]+$/.test(s.file) && typeof s.contentHash === 'string';
  if (!Array.isArray(manifest.shards) || !manifest.shards.every(isShard) || typeof manifest.tokens !== 'number') {
    throw new FormatError(`Cannot read "${path}": it does not list its shards. Build the data again.`, { path });
  }
  return manifest as ShardManifest;
}

function openShard(path: string, first: number, manifest: ShardManifest, contentHash: string, options: OpenOptions): Shard {
  const fd = openToRead('open the token shard', path);
  try {
    const { size } = fstatSync(fd);
    const head = new Uint8Array(Math.min(size, SHARD_HEADER_BYTES));
    readExactly(fd, head, 0, path);
    const header = decodeHeader(head, path), expected = shardBytes(header);
    if (size !== expected) throw damaged(path, Math.min(size, expected), `it has ${size} bytes, and its header promises ${expected}`);
    if (header.contentHash !== contentHash || header.maxToken >= manifest.vocabSize) {
      throw damaged(path, 40, 'it is not the file that shards.json lists');
    }
    const shared = options.mapFile?.(path);
    const documents = shared === undefined
      ? readTable(fd, header, path) :
      new Uint32Array(shared, documentTableOffset(header), header.documents);
    if (options.verify ?? true) verifyContent(fd, header, size, path);
    const mapped = shared === undefined ? undefined : header.bytesPerToken === 2
      ? new Uint16Array(shared, SHARD_HEADER_BYTES, header.tokens) :
      new Uint32Array(shared, SHARD_HEADER_BYTES, header.tokens);
    if (mapped !== undefined) closeSync(fd);
    return { header, first, documents, mapped, fd: mapped === undefined ? fd : -1, path };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readTable(fd: number, header: ShardHeader, path: string): Uint32Array {
  const table = new Uint32Array(header.documents);
  readExactly(fd, new Uint8Array(table.buffer), documentTableOffset(header), path);
  return table;
}

function verifyContent(fd: number, header: ShardHeader, size: number, path: string): void {
  const hash = createHash('sha256'), chunk = new Uint8Array(Math.min(2 ** 20, size - SHARD_HEADER_BYTES));
  for (let offset = SHARD_HEADER_BYTES; offset < size; offset += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, size - offset));
    readExactly(fd, part, offset, path);
    hash.update(part);
  }
  if (hash.digest('hex') !== header.contentHash) {
    throw damaged(path, SHARD_HEADER_BYTES, 'its content does not match its checksum');
  }
}

/** Fills `bytes` from the file. @throws {FormatError} where the file ends first */
function readExactly(fd: number, bytes: Uint8Array, position: number, path: string): void {
  const read = readInto(fd, bytes, position, 'read the token shard', path);
  if (read < bytes.length) throw damaged(path, position + read, 'it ends too early');
}
