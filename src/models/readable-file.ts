// A file that is read at many places: through a mapping where there is one, else by reads. Layer: models (file access).

import { closeSync, fstatSync } from 'node:fs';

import { CapacityError, StorageError } from '../base/errors.ts';
import { openToRead, readInto } from '../base/read-file.ts';

/** A file's bytes without reading them (an executor's `mmap`). They must not be written to. */
export type MapFile = (path: string) => Uint8Array;

export class ReadableFile {
  readonly path: string;
  readonly size: number;
  readonly #fd: number;
  #mapped: Uint8Array | undefined;

  /** @throws {StorageError} if it cannot be opened */
  constructor(path: string) {
    this.path = path;
    this.#fd = openToRead('read', path);
    this.size = fstatSync(this.#fd).size;
  }

  /** Uses a mapping from now on; a file larger than one can be is read as before. @throws {StorageError} */
  map(mapFile: MapFile | undefined): void {
    try {
      this.#mapped = mapFile?.(this.path);
    } catch (error) {
      if (!(error instanceof CapacityError)) throw error;
    }
  }

  /** Fills `bytes` from `position` on. @returns `bytes` @throws {StorageError} */
  read<B extends Uint8Array>(bytes: B, position: number): B {
    if (this.#mapped !== undefined) bytes.set(this.#mapped.subarray(position, position + bytes.length));
    else this.#fill(bytes, position);
    return bytes;
  }

  /** Mapped bytes, where there is a mapping. */
  view(position: number, length: number): Uint8Array | undefined {
    return this.#mapped?.subarray(position, position + length);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fill(bytes: Uint8Array, position: number): void {
    if (readInto(this.#fd, bytes, position, 'read', this.path) < bytes.length) throw new StorageError(`Cannot read "${this.path}": it became shorter while it was read.`, { path: this.path });
  }
}
