// Reading a stream of bytes by counts and lines, as WARC, tar and HTTP bodies are made of. Layer: data (pure).

import { RefusedError } from './limits.ts';

/** A stream with a place in it. */
export class ByteReader {
  readonly #iterator: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #before = 0;
  #ended = false;

  constructor(stream: AsyncIterable<Buffer>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** Bytes that were taken. */
  get offset(): number {
    return this.#before + this.#at;
  }

  /** Whether nothing is left. */
  async atEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** The next bytes, fewer at the end. */
  async upTo(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0 && (await this.#fill());) {
      const part = this.#take(left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** The next bytes. @throws {RefusedError} `truncated` if there are fewer */
  async exactly(count: number): Promise<Buffer> {
    const bytes = await this.upTo(count);
    if (bytes.length < count) throw this.#truncated(count - bytes.length);
    return bytes;
  }

  /** Passes over bytes. @throws {RefusedError} `truncated` if there are fewer */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      if (!(await this.#fill())) throw this.#truncated(left);
      left -= this.#take(left).length;
    }
  }

  /** Passes over all that is left, so that what is around it sees its end. */
  async drain(): Promise<void> {
    while (await this.#fill()) this.#take(this.#chunk.length);
  }

  /** The next bytes as they come. @throws {RefusedError} `truncated` if there are fewer */
  async *stream(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      if (!(await this.#fill())) throw this.#truncated(left);
      const part = this.#take(left);
      left -= part.length;
      yield part;
    }
  }

  /**
   * The next line, without its end (LF or CRLF).
   *
   * @param most bytes that it may have
   * @returns undefined at the end
   * @throws {RefusedError} `damaged` if it is longer
   */
  async line(most: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      if (!(await this.#fill())) return length === 0 ? undefined : Buffer.concat(parts);
      const end = this.#chunk.indexOf(10, this.#at), part = this.#take((end < 0 ? this.#chunk.length : end + 1) - this.#at);
      parts.push(part);
      length += part.length;
      if (length > most) throw new RefusedError('damaged', `A line of more than ${most} bytes at byte ${this.offset - length}.`);
      if (end < 0) continue;
      const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      return line.subarray(0, line.length - (line[line.length - 2] === 13 ? 2 : 1));
    }
  }

  #take(most: number): Buffer {
    const part = this.#chunk.subarray(this.#at, this.#at + most);
    this.#at += part.length;
    return part;
  }

  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length && !this.#ended) {
      const { value, done } = await this.#iterator.next();
      this.#before += this.#chunk.length;
      this.#chunk = done === true ? Buffer.alloc(0) : value;
      this.#at = 0;
      this.#ended = done === true;
    }
    return this.#at < this.#chunk.length;
  }

  #truncated(missing: number): RefusedError {
    return new RefusedError('truncated', `It ends at byte ${this.offset}, and ${missing} more should come.`);
  }
}
