// Bytes with a name, as readers take them: a file, a member of an archive, the body of an answer. Layer: data.
// They come once, from the beginning, so that nothing needs to be kept; formats with a directory at their end get random
// access, which a file gives and anything else pays for with memory.

import { createHash, type Hash } from 'node:crypto';
import { RefusedError } from './limits.ts';

/** Bytes at any place. */
export type RandomAccess = {
  readonly byteLength: number;
  /** Exactly the bytes asked for. @throws {RefusedError} `truncated` if there are fewer */
  slice(start: number, end: number): Promise<Buffer>;
};

/** Where bytes come from. */
export type Input = {
  /** As in Origin: `crawl.zip!2024/a.warc.gz`. */
  readonly file: string;
  /** What the format is guessed from beside the bytes; `file`, less the endings of compressions that were undone. */
  readonly name: string;
  /** Media type, where a server said one. */
  readonly type?: string | undefined;
  /** Where it was fetched: relative links of a page are resolved against it. */
  readonly url?: string | undefined;
  readonly bytes?: number | undefined;
  stream(): AsyncIterable<Buffer>;
  readonly random?: RandomAccess | undefined;
  /** What it is the decompression of: its hash is this one's. */
  readonly outer?: Content | undefined;
};

/** How many bytes tell the format and the encoding. */
const HEAD_BYTES = 2 ** 16;

/** An input that was opened: its first bytes are known, the rest comes once. */
export class Content {
  readonly file: string;
  readonly name: string;
  readonly type: string | undefined;
  readonly url: string | undefined;
  readonly bytes: number | undefined;
  /** The first 64 KiB, or all. */
  readonly head: Buffer;
  readonly #input: Input;
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #first: readonly Buffer[];
  readonly #hash: Hash | undefined;
  #sha256: string | undefined;
  #ended: boolean;
  #used = false;

  private constructor(input: Input, iterator: AsyncIterator<Buffer>, first: readonly Buffer[], ended: boolean) {
    const { file, name, type, url, bytes } = input;
    this.file = file;
    this.name = name;
    this.type = type;
    this.url = url;
    this.bytes = bytes;
    this.head = (first.length === 1 ? first[0]! : Buffer.concat(first)).subarray(0, HEAD_BYTES);
    this.#input = input;
    this.#iterator = iterator;
    this.#first = first;
    this.#ended = ended;
    this.#hash = input.outer === undefined ? createHash('sha256') : undefined;
  }

  /** Reads the first bytes. @throws as the input's stream does */
  static async open(input: Input): Promise<Content> {
    const iterator = input.stream()[Symbol.asyncIterator](), first: Buffer[] = [];
    let length = 0, ended = false;
    while (length < HEAD_BYTES && !ended) {
      const { value, done } = await iterator.next();
      if (done === true) ended = true;
      else {
        first.push(value);
        length += value.length;
      }
    }
    return new Content(input, iterator, first, ended);
  }

  /** Of all bytes, once they were read to the end; of the compressed bytes where it was decompressed. */
  get sha256(): string | undefined {
    return this.#input.outer === undefined ? this.#sha256 : this.#input.outer.sha256;
  }

  /** All bytes, once. */
  async *chunks(): AsyncGenerator<Buffer> {
    if (this.#used) throw new RefusedError('damaged', `"${this.file}" was read already.`);
    this.#used = true;
    for (const part of this.#first) {
      this.#hash?.update(part);
      yield part;
    }
    while (!this.#ended) {
      const { value, done } = await this.#iterator.next();
      if (done === true) this.#ended = true;
      else {
        this.#hash?.update(value);
        yield value;
      }
    }
    this.#sha256 = this.#hash?.digest('hex');
  }

  /** All bytes in one piece. @throws {RefusedError} `too-large` over the limit */
  async whole(limit: number): Promise<Buffer> {
    const tooLarge = (need: number): RefusedError => new RefusedError('too-large', `"${this.file}" has to be held in memory, and ${limit} bytes is the most.`, { need, have: limit });
    if (this.bytes !== undefined && this.bytes > limit) throw tooLarge(this.bytes);
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of this.chunks()) {
      length += part.length;
      if (length > limit) throw tooLarge(length);
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Bytes at any place, from the file itself where there is one. @throws {RefusedError} as {@link whole} */
  async random(limit: number): Promise<RandomAccess> {
    if (this.#input.random !== undefined) return this.#input.random;
    return inMemory(await this.whole(limit));
  }

  /** Lets go of what the stream holds. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Random access to bytes that are there. */
export function inMemory(bytes: Buffer): RandomAccess {
  return {
    byteLength: bytes.length,
    slice: (start, end) => {
      if (start < 0 || end > bytes.length || start > end) throw new RefusedError('truncated', `Bytes ${start} to ${end} are wanted, and there are ${bytes.length}.`);
      return Promise.resolve(bytes.subarray(start, end));
    },
  };
}

/** An input of bytes that are there. */
export function bytesInput(file: string, bytes: Buffer, type?: string): Input {
  return { file, name: file, type, bytes: bytes.length, random: inMemory(bytes), stream: () => once(bytes) };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes;
}
