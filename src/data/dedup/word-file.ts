// Files of 32-bit words, which indexes are made of: written in blocks, read in chunks or at a place. Layer: data (file access).

import { closeSync, fstatSync } from 'node:fs';
import { DurableFile } from '../../base/durable.ts';
import { FormatError } from '../../base/errors.ts';
import { openToRead, readInto } from '../../base/read-file.ts';

/** Writes words; nothing is there before `commit`. */
export class WordWriter {
  readonly #file: DurableFile;
  #block = new Uint32Array(2 ** 16);
  #length = 0;

  constructor(path: string) {
    this.#file = new DurableFile(path);
  }

  word(value: number): void {
    if (this.#length === this.#block.length) this.#flush();
    this.#block[this.#length++] = value;
  }

  words(values: Uint32Array): void {
    this.#flush();
    this.#file.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  commit(): void {
    this.#flush();
    this.#file.commit(false);
  }

  discard(): void {
    this.#file.discard();
  }

  #flush(): void {
    if (this.#length > 0) this.#file.write(new Uint8Array(this.#block.buffer, 0, 4 * this.#length));
    this.#length = 0;
  }
}

/** Reads words at any place. */
export class WordFile {
  readonly path: string;
  /** Words in the file. */
  readonly length: number;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = openToRead('read the index', path);
    this.length = Math.floor(fstatSync(this.#fd).size / 4);
  }

  /** Fills `out` from word `position` on. */
  read(out: Uint32Array, position: number): void {
    const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    const read = readInto(this.#fd, bytes, 4 * position, 'read the index', this.path);
    if (read < bytes.length) throw new FormatError(`Cannot read the index "${this.path}": it ends too early. Delete the folder "work" and build again.`, { path: this.path, offset: 4 * position + read });
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const CHUNK_WORDS = 2 ** 18;

/** All words of a file, one after the other. */
export class WordStream {
  readonly #file: WordFile;
  readonly #chunk: Uint32Array;
  #from = 0;
  #held = 0;
  #at = 0;

  constructor(path: string) {
    this.#file = new WordFile(path);
    this.#chunk = new Uint32Array(Math.min(CHUNK_WORDS, Math.max(1, this.#file.length)));
  }

  get done(): boolean {
    return this.#at >= this.#file.length;
  }

  next(): number {
    if (this.#at >= this.#from + this.#held) {
      this.#from = this.#at;
      this.#held = Math.min(this.#chunk.length, this.#file.length - this.#at);
      this.#file.read(this.#chunk.subarray(0, this.#held), this.#at);
    }
    return this.#chunk[this.#at++ - this.#from]!;
  }

  close(): void {
    this.#file.close();
  }
}
