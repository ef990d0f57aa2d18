// How much strangers' bytes may grow and how deep they may nest before they are refused. Layer: data (pure).

import { CapacityError } from '../../base/errors.ts';

/** Bounds on one file of a source and all that is inside it. */
export type Limits = {
  /** Archives inside archives; a compressed stream counts as one. */
  readonly depth: number;
  /** Bytes that decompression may make of one byte of the file, once it made {@link FREE_BYTES}. */
  readonly ratio: number;
  /** Bytes that decompression may make of a file in all. */
  readonly expandedBytes: number;
  readonly members: number;
  /** What has to be held in memory at once: a page, a document, an archive in an archive. */
  readonly heldBytes: number;
  /** A row, a line, a record that is text. */
  readonly recordBytes: number;
};

/**
 * Text shrinks 3 to 10 times, logs 50 times, and a deflate bomb 1000 times (zlib's own limit is 1032). The other bounds are
 * what a machine of 8 GB takes.
 */
export const DEFAULT_LIMITS: Limits = { depth: 4, ratio: 200, expandedBytes: 2 ** 40, members: 10_000_000, heldBytes: 2 ** 28, recordBytes: 2 ** 26 };

/** A page of more is generated: the largest articles have 2 MB. */
export const MAX_PAGE_BYTES = 2 ** 24;

/** Any ratio is harmless below this. */
const FREE_BYTES = 2 ** 24;

/** Something was refused, for a reason that the report counts by. */
export class RefusedError extends CapacityError {
  /** In kebab case: `bomb`, `too-deep`, `too-large`. */
  readonly reason: string;

  constructor(reason: string, message: string, fields: { need: number; have: number } = { need: 0, have: 0 }) {
    super(message, fields);
    this.reason = reason;
  }
}

/** What one file has used of its limits; shared by everything inside it. */
export class Budget {
  readonly limits: Limits;
  readonly #fileBytes: number;
  #expanded = 0;
  #members = 0;

  /** @param fileBytes of the outermost file */
  constructor(limits: Limits, fileBytes: number) {
    this.limits = limits;
    this.#fileBytes = fileBytes;
  }

  /** Counts bytes that came out of a decompressor. @throws {RefusedError} `bomb` */
  expand(bytes: number): void {
    this.#expanded += bytes;
    const { ratio, expandedBytes } = this.limits, most = Math.min(expandedBytes, Math.max(FREE_BYTES, ratio * this.#fileBytes));
    if (this.#expanded > most) {
      throw new RefusedError('bomb', `Stopped: ${this.#fileBytes} bytes grew to more than ${most} (ratio ${ratio}, at most ${expandedBytes}).`, { need: this.#expanded, have: most });
    }
  }

  /** Counts a member of an archive. @throws {RefusedError} `bomb` */
  member(): void {
    if (++this.#members > this.limits.members) throw new RefusedError('bomb', `Stopped: more than ${this.limits.members} members.`, { need: this.#members, have: this.limits.members });
  }
}

/**
 * A member's path as it may be named, with `/` between names.
 *
 * @returns undefined if it leaves the archive, is absolute, or is none
 */
export function memberPath(name: string): string | undefined {
  const path = name.replaceAll('\\', '/').replace(/^(\.\/)+/, '');
  if (path === '' || path.startsWith('/') || /^[A-Za-z]:/.test(path) || path.includes('\0')) return undefined;
  return path.split('/').includes('..') ? undefined : path;
}
