// The metrics of a run as JSON lines, and what is left of them after a crash. Layer: train (file access).
// Lines are appended as they come and flushed to disk with every checkpoint, which notes the length of the file: a run that
// goes on from it cuts what came later, a torn last line included, so that every step stands there once.

import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { storageError, writeAll } from '../base/durable.ts';

/** One line: a step, or an event between steps. */
export type MetricsLine = Readonly<Record<string, number | string | boolean | null | undefined>>;

export class MetricsLog {
  readonly path: string;
  readonly #fd: number;
  #bytes: number;
  #closed = false;

  /**
   * Opens a log to go on with.
   *
   * @param keepBytes how much of the file counts: 0 begins a new one
   * @throws {StorageError} if it cannot be opened or cut
   */
  constructor(path: string, keepBytes: number) {
    this.path = path;
    try {
      this.#fd = openSync(path, 'a+');
      this.#bytes = wholeLines(readFileSync(path).subarray(0, keepBytes));
      ftruncateSync(this.#fd, this.#bytes);
    } catch (cause) {
      throw storageError('open the metrics', path, cause);
    }
  }

  /** Bytes of all whole lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Appends a line; undefined fields are left out. @throws {StorageError} where the disk refuses; no half line stays */
  append(line: MetricsLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      writeAll(this.#fd, bytes);
    } catch (cause) {
      try {
        ftruncateSync(this.#fd, this.#bytes);
      } catch {
        // A torn last line is dropped when the log is next opened.
      }
      throw storageError('write the metrics', this.path, cause);
    }
    this.#bytes += bytes.length;
  }

  /** Flushes to disk. @returns bytes that are safe there */
  sync(): number {
    try {
      fsyncSync(this.#fd);
    } catch (cause) {
      throw storageError('flush the metrics', this.path, cause);
    }
    return this.#bytes;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}

/** Bytes up to the last end of line. */
function wholeLines(bytes: Uint8Array): number {
  return bytes.lastIndexOf(0x0a) + 1;
}

/** The lines of a log; a torn last one is left out. @throws {StorageError} if it cannot be read */
export function readMetrics(path: string): MetricsLine[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw storageError('read the metrics', path, cause);
  }
  return bytes.subarray(0, wholeLines(bytes)).toString('utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as MetricsLine);
}
