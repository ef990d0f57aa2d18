// Durable files: written whole or not at all. Layer: base (file access; not for browsers).
// A write goes to a temporary file beside the target, is flushed, renamed over it, and the folder is flushed, so that a
// reader or a power cut sees the old file or the new one. See rename(2), fsync(2).

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { StorageError } from './errors.ts';

const REMEDIES: Record<string, string> = {
  ENOSPC: 'the disk is full: free some space and run the command again',
  EROFS: 'the file system is read-only: choose another folder',
  EACCES: 'permission denied: choose a folder you may write to',
  EPERM: 'the operation is not permitted there: choose a folder you may write to',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'that is a folder, not a file',
  EDQUOT: 'the disk quota is used up: free some space',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
};

/** Turns an operating system's error into a sentence with a remedy; anything else is returned as it is. */
export function storageError(action: string, path: string, cause: unknown): Error {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return cause as Error;
  return new StorageError(`Cannot ${action} "${path}": ${REMEDIES[code] ?? code}.`, { path, cause });
}

/** A temporary name beside `path`; the process id keeps two writers apart. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
}

/** Flushes a folder's entries, where the platform lets one open a folder. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Linux takes less than 2 GiB in one write, and Node.js refuses a longer one. */
const MAX_WRITE_BYTES = 2 ** 30;

/** Writes all bytes, whatever number `write` takes at a time. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, Math.min(bytes.length - done, MAX_WRITE_BYTES));
}

/** A file that is written bit by bit, and appears whole with `commit`, or not at all. Errors are StorageErrors with a remedy. */
export class DurableFile {
  readonly path: string;
  readonly #temporary: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.path = path;
    this.#temporary = temporaryName(path);
    this.#fd = this.#try(() => openSync(this.#temporary, 'w'));
  }

  write(bytes: Uint8Array): void {
    this.#try(() => writeAll(this.#fd!, bytes));
  }

  /**
   * Flushes what was written and puts it in the place of the old file.
   *
   * @param flush false for working files that can be made again: a kill leaves them whole still, a power cut may not
   */
  commit(flush = true): void {
    this.#try(() => {
      if (flush) fsyncSync(this.#fd!);
      this.#close();
      renameSync(this.#temporary, this.path);
      if (flush) syncFolder(dirname(this.path));
    });
  }

  /** Forgets what was written; the old file is still there. Does nothing after a commit or an error. */
  discard(): void {
    this.#close();
    try {
      rmSync(this.#temporary, { force: true });
    } catch {
      // What stopped the write may stop this too; the first error is the one to tell.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      this.discard();
      throw storageError('write', this.path, cause);
    }
  }
}

/**
 * Writes a file atomically and durably from one or more chunks.
 *
 * @param flush as of `DurableFile.commit`
 * @throws {StorageError} with a remedy; the old file is then still there, the temporary one is gone
 */
export function writeDurable(path: string, chunks: string | Uint8Array | Iterable<Uint8Array>, flush = true): void {
  const file = new DurableFile(path);
  try {
    if (typeof chunks === 'string') file.write(Buffer.from(chunks));
    else if (chunks instanceof Uint8Array) file.write(chunks);
    else for (const chunk of chunks) file.write(chunk);
  } catch (error) {
    file.discard();
    throw error;
  }
  file.commit(flush);
}

/** Makes a folder and its parents. @throws {StorageError} with a remedy */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw storageError('make the folder', path, (cause as NodeJS.ErrnoException).code === 'ENOENT' ? plainCause(path, cause) : cause);
  }
}

/** A recursive mkdir says ENOENT whatever the reason (a read-only file system too): ask for the deepest folder alone. */
function plainCause(path: string, cause: unknown): unknown {
  let missing = resolve(path);
  while (dirname(missing) !== missing && !existsSync(dirname(missing))) missing = dirname(missing);
  try {
    mkdirSync(missing);
    return cause;
  } catch (plain) {
    return plain;
  }
}
