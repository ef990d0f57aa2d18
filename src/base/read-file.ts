// Reading files at any place. Layer: base (file access; not for browsers).

import { openSync, readSync } from 'node:fs';
import { storageError } from './durable.ts';

/** One read takes at most so much: Node.js refuses more than 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

/**
 * Opens a file.
 *
 * @param action for the error: `Cannot ACTION "path": …`
 * @returns its descriptor
 * @throws {StorageError}
 */
export function openToRead(action: string, path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw storageError(action, path, cause);
  }
}

/**
 * Fills `bytes`, as far as the file goes.
 *
 * @param position in the file; null: where the last read ended
 * @returns how many bytes there were
 * @throws {StorageError} `Cannot ACTION "path": …`
 */
export function readInto(fd: number, bytes: Uint8Array, position: number | null, action: string, path: string): number {
  let done = 0;
  try {
    while (done < bytes.length) {
      const read = readSync(fd, bytes, done, Math.min(bytes.length - done, MAX_READ_BYTES), position === null ? null : position + done);
      if (read === 0) break;
      done += read;
    }
  } catch (cause) {
    throw storageError(action, path, cause);
  }
  return done;
}
