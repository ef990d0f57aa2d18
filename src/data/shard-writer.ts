// Writes documents as packed token shards and a manifest. Layer: data (file access).
// A folder holds one sequence: shard-00000-HASH.bin, shard-00001-HASH.bin, … and shards.json. File names carry the hash of
// their content, and the manifest is replaced last, so that a build over an older one is whole at every moment: until then
// readers see the older sequence, and a build that is killed leaves at most files that the next one removes.

import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../base/durable.ts';
import { ConfigError } from '../base/errors.ts';
import { assertHash, encodeShard, SHARD_VERSION, type TokenArray } from './shard-format.ts';

export const MANIFEST_NAME = 'shards.json';
/** 16 Mi tokens: 32 MiB at two bytes a token, so that one shard is held in memory while it is built. */
const DEFAULT_SHARD_TOKENS = 2 ** 24;

/** What `shards.json` holds. */
export type ShardManifest = {
  version: number;
  tokens: number;
  documents: number;
  /** Bytes of UTF-8 text the tokens stand for; bits per byte are measured against this. */
  textBytes: number;
  bytesPerToken: 2 | 4;
  vocabSize: number;
  endOfText: number | null;
  tokenizerHash: string | null;
  /** SHA-256 over the shards' content hashes: the identity of the sequence. */
  contentHash: string;
  shards: { file: string; tokens: number; documents: number; contentHash: string }[];
  /** Where the text came from, and with which seed: written by the caller, read by people. */
  sources: string[];
  seed: number;
};

/** How a sequence of documents becomes shards. */
export type ShardOptions = {
  dir: string;
  /** Ids are 0 … vocabSize-1; decides between two and four bytes a token. */
  vocabSize: number;
  /** Put before every document when given. Without it the last token of a document has no target. */
  endOfText?: number;
  /** SHA-256 of the tokenizer, hexadecimal. */
  tokenizerHash?: string;
  /** Largest number of tokens in a file (default 2^24). */
  shardTokens?: number;
  sources?: string[];
  seed?: number;
};

/**
 * Collects documents and writes a shard whenever one is full.
 *
 * @example
 * const writer = new ShardWriter({ dir: 'data/train', vocabSize: 4096, endOfText: 0 });
 * writer.add(tokenizer.encode(text), Buffer.byteLength(text));
 * const manifest = writer.close();
 */
export class ShardWriter {
  readonly #options: ShardOptions;
  readonly #capacity: number;
  #tokens: TokenArray;
  #length = 0;
  #starts: number[] = [];
  #totals = { tokens: 0, documents: 0, textBytes: 0 };
  #shards: ShardManifest['shards'] = [];
  #closed = false;

  /**
   * @throws {ConfigError} for an impossible option
   * @throws {StorageError} where the folder cannot be written
   */
  constructor(options: ShardOptions) {
    const { vocabSize, endOfText } = options;
    if (!Number.isInteger(vocabSize) || vocabSize < 1 || vocabSize > 2 ** 31) {
      throw new ConfigError(`Cannot write shards for a vocabulary of ${vocabSize}: it must be an integer from 1 to 2^31.`);
    }
    if (endOfText !== undefined) assertToken(endOfText, vocabSize, 'the end-of-text id');
    if (options.tokenizerHash !== undefined) assertHash('the tokenizer hash', options.tokenizerHash);
    this.#capacity = options.shardTokens ?? DEFAULT_SHARD_TOKENS;
    if (!Number.isInteger(this.#capacity) || this.#capacity < 1 || this.#capacity >= 2 ** 32) {
      throw new ConfigError(`Cannot write shards of ${this.#capacity} tokens: the size must be an integer from 1 to 2^32-1.`);
    }
    this.#options = options;
    this.#tokens = this.#allocate(Math.min(this.#capacity, 2 ** 16));
    makeFolder(options.dir);
  }

  /** Tokens taken so far, end-of-text ids included. */
  get tokens(): number {
    return this.#totals.tokens;
  }

  /**
   * Appends one document. A document without tokens is ignored.
   *
   * @param ids the tokens, each below vocabSize
   * @param textBytes bytes of UTF-8 text they stand for
   * @throws {ConfigError} for an id outside the vocabulary; nothing of the document is then kept
   */
  add(ids: ArrayLike<number>, textBytes = 0): void {
    if (this.#closed) throw new ConfigError(`Cannot add a document to "${this.#options.dir}": its shards are closed.`);
    if (ids.length === 0) return;
    const { vocabSize, endOfText } = this.#options;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (!(id >= 0 && id < vocabSize)) assertToken(id, vocabSize, `token ${i} of a document`);
    }
    if (this.#length === this.#capacity) this.#flush();
    this.#starts.push(this.#length);
    if (endOfText !== undefined) this.#append([endOfText]);
    this.#append(ids);
    this.#totals.tokens += ids.length + (endOfText === undefined ? 0 : 1);
    this.#totals.documents++;
    this.#totals.textBytes += textBytes;
  }

  /**
   * Writes what is left and the manifest.
   *
   * @throws {ConfigError} if no document was added: a sequence without tokens cannot be trained on
   * @throws {StorageError} where the disk refuses
   */
  close(): ShardManifest {
    const { dir, vocabSize, endOfText, tokenizerHash, sources = [], seed = 0 } = this.#options;
    if (this.#totals.tokens === 0) {
      throw new ConfigError(`Cannot finish the shards in "${dir}": there was no text. Add files, or loosen the filters.`, { path: 'data' });
    }
    if (this.#length > 0) this.#flush();
    this.#closed = true;
    const identity = createHash('sha256');
    for (const shard of this.#shards) identity.update(shard.contentHash);
    const manifest: ShardManifest = {
      version: SHARD_VERSION,
      ...this.#totals,
      bytesPerToken: this.#tokens.BYTES_PER_ELEMENT as 2 | 4,
      vocabSize,
      endOfText: endOfText ?? null,
      tokenizerHash: tokenizerHash ?? null,
      contentHash: identity.digest('hex'),
      shards: this.#shards,
      sources,
      seed,
    };
    writeDurable(join(dir, MANIFEST_NAME), `${JSON.stringify(manifest, null, 2)}\n`);
    removeOthers(dir, new Set(this.#shards.map((shard) => shard.file)));
    return manifest;
  }

  #allocate(length: number): TokenArray {
    return this.#options.vocabSize <= 0x10000 ? new Uint16Array(length) : new Uint32Array(length);
  }

  #append(ids: ArrayLike<number>): void {
    for (let done = 0; done < ids.length;) {
      if (this.#length === this.#capacity) this.#flush();
      const take = Math.min(ids.length - done, this.#capacity - this.#length);
      this.#reserve(this.#length + take);
      const target = this.#tokens, offset = this.#length - done;
      for (let i = done; i < done + take; i++) target[offset + i] = ids[i]!;
      this.#length += take;
      done += take;
    }
  }

  #reserve(length: number): void {
    if (length <= this.#tokens.length) return;
    const larger = this.#allocate(Math.min(this.#capacity, Math.max(length, 2 * this.#tokens.length)));
    larger.set(this.#tokens);
    this.#tokens = larger;
  }

  #flush(): void {
    const { dir, endOfText, tokenizerHash } = this.#options;
    const { header, chunks } = encodeShard(
      this.#tokens.subarray(0, this.#length),
      Uint32Array.from(this.#starts),
      { endOfText, tokenizerHash },
    );
    const file = `shard-${String(this.#shards.length).padStart(5, '0')}-${header.contentHash.slice(0, 12)}.bin`;
    writeDurable(join(dir, file), chunks);
    this.#shards.push({ file, tokens: header.tokens, documents: header.documents, contentHash: header.contentHash });
    this.#length = 0;
    this.#starts = [];
  }
}

function assertToken(id: number, vocabSize: number, what: string): void {
  if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
    throw new ConfigError(`Cannot write ${what}: ${id} is not an id of a vocabulary of ${vocabSize} (0 … ${vocabSize - 1}).`);
  }
}

/** Removes shards of earlier builds, which no manifest names any more. */
function removeOthers(dir: string, kept: ReadonlySet<string>): void {
  try {
    for (const name of readdirSync(dir)) {
      if (/^shard-\d{5,}-[0-9a-f]{12}\.bin$/.test(name) && !kept.has(name)) rmSync(join(dir, name));
    }
  } catch (cause) {
    throw storageError('remove the shards of an earlier build from', dir, cause);
  }
}
