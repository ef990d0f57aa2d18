// A part of a corpus on disk: what one unit gave. Layer: data (file access).
// Two lines a document: a head (JSON: all but the text, with a hash and the steps it went through) and the text as a JSON
// string, so that what needs no text reads heads only. Beside it lie KEY.offsets (where each head begins, f64 each) and
// KEY.json, written last, which makes the part finished.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DurableFile, storageError, writeDurable } from '../../base/durable.ts';
import { FormatError } from '../../base/errors.ts';
import { openToRead, readInto } from '../../base/read-file.ts';
import type { Document } from '../document.ts';
import { ContentKey } from '../exact-copies.ts';
import type { Tally } from './tally.ts';

/** A rule that changed a document, and what it saw. */
export type Step = readonly [rule: string, detail: string];

/** All of a document but its text. */
export type PartHead = Omit<Document, 'text'> & {
  /** SHA-256 over the text's characters without white space, 128 bits in base64. */
  hash: string;
  /** As it was recognised; what a source or stage says of it stands in `meta`. */
  language?: string;
  steps?: readonly Step[];
};

/** What KEY.json says. */
export type PartManifest = {
  documents: number;
  bytes: number;
  /** Size of the part's file: one that a power cut shortened is made again. */
  fileBytes: number;
  /** SHA-256 of the part's file. */
  sha256: string;
  tally: Tally;
  /** How often each stage did something, by the stage's fingerprint, in order. */
  effects: [stage: string, count: number][];
};

const WRITE_BYTES = 2 ** 20;
const READ_BYTES = 2 ** 20;

/** Names of a part's files. */
export function partPaths(dir: string, key: string): { data: string; offsets: string; manifest: string; drops: string } {
  const at = (ending: string): string => join(dir, `${key}.${ending}`);
  return { data: at('part'), offsets: at('offsets'), manifest: at('json'), drops: at('drops.gz') };
}

/** The manifest of a part, or undefined if it is not finished. */
export function readManifest(dir: string, key: string): PartManifest | undefined {
  const { manifest, data, offsets, drops } = partPaths(dir, key), sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? -1;
  if (sizeOf(manifest) <= 0) return undefined;
  try {
    const read = JSON.parse(readFileSync(manifest, 'utf8')) as PartManifest;
    return sizeOf(data) === read.fileBytes && sizeOf(offsets) === 8 * read.documents && sizeOf(drops) >= 0 ? read : undefined;
  } catch {
    return undefined; // damaged: made again
  }
}

/** Writes a part. */
export class PartWriter {
  readonly #paths: ReturnType<typeof partPaths>;
  readonly #file: DurableFile;
  readonly #sha = createHash('sha256');
  readonly #content = new ContentKey();
  #offsets = new Float64Array(256);
  #documents = 0;
  #bytes = 0;
  #offset = 0;
  #pending: string[] = [];
  #pendingBytes = 0;

  constructor(dir: string, key: string) {
    this.#paths = partPaths(dir, key);
    this.#file = new DurableFile(this.#paths.data);
  }

  add(document: Document, steps: readonly Step[] | undefined, language?: string): void {
    const { text, ...rest } = document, known: PartHead = { ...rest, hash: this.#content.of(text), ...(language === undefined ? {} : { language }), ...(steps === undefined ? {} : { steps }) };
    const lines = `${JSON.stringify(known)}\n${JSON.stringify(text)}\n`, length = Buffer.byteLength(lines);
    if (this.#documents === this.#offsets.length) {
      const larger = new Float64Array(2 * this.#offsets.length);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[this.#documents++] = this.#offset;
    this.#offset += length;
    this.#bytes += document.bytes;
    this.#pending.push(lines);
    this.#pendingBytes += length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  /** Finishes the part. */
  close(fields: Pick<PartManifest, 'tally' | 'effects'>): PartManifest {
    this.#flush();
    this.#file.commit(false);
    writeDurable(this.#paths.offsets, new Uint8Array(this.#offsets.buffer, 0, 8 * this.#documents), false);
    const manifest: PartManifest = { documents: this.#documents, bytes: this.#bytes, fileBytes: this.#offset, sha256: this.#sha.digest('hex'), ...fields };
    writeDurable(this.#paths.manifest, JSON.stringify(manifest), false);
    return manifest;
  }

  discard(): void {
    this.#file.discard();
  }

  #flush(): void {
    if (this.#pending.length === 0) return;
    const bytes = Buffer.from(this.#pending.join(''));
    this.#sha.update(bytes);
    this.#file.write(bytes);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

/** Heads with their texts, as JSON strings still, in order. */
export function* readLines(path: string): Generator<{ n: number; head: Buffer; text: Buffer }> {
  const fd = openToRead('read the part', path);
  try {
    let buffer = Buffer.allocUnsafe(READ_BYTES), held = 0, n = 0;
    for (;;) {
      if (held === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
      const read = readSync(fd, buffer, held, buffer.length - held, null);
      if (read === 0) break;
      held += read;
      let start = 0;
      for (;;) {
        const middle = buffer.subarray(0, held).indexOf(10, start);
        if (middle < 0) break;
        const end = buffer.subarray(0, held).indexOf(10, middle + 1);
        if (end < 0) break;
        yield { n: n++, head: buffer.subarray(start, middle), text: buffer.subarray(middle + 1, end) };
        start = end + 1;
      }
      if (start > 0) {
        buffer.copyWithin(0, start, held);
        held -= start;
      }
    }
    if (held > 0) throw new FormatError(`Cannot read the part "${path}": it ends inside document ${n}. Delete the folder "work" and build again.`, { path });
  } finally {
    closeSync(fd);
  }
}

/** Reads single documents of a part. */
export class PartReader {
  readonly path: string;
  readonly #fd: number;
  readonly #offsets: Float64Array;
  readonly #size: number;

  /** @param size bytes of the file, where the last document ends */
  constructor(dir: string, key: string, size: number) {
    const { data, offsets } = partPaths(dir, key);
    this.path = data;
    this.#size = size;
    try {
      const table = readFileSync(offsets);
      this.#offsets = new Float64Array(table.buffer.slice(table.byteOffset, table.byteOffset + table.length));
      this.#fd = openSync(data, 'r');
    } catch (cause) {
      throw storageError('read the part', data, cause);
    }
  }

  /** The head alone. */
  head(n: number): PartHead {
    const bytes = this.#bytes(n);
    return JSON.parse(bytes.toString('utf8', 0, bytes.indexOf(10))) as PartHead;
  }

  read(n: number): { head: PartHead; text: string } {
    const bytes = this.#bytes(n), middle = bytes.indexOf(10);
    return { head: JSON.parse(bytes.toString('utf8', 0, middle)) as PartHead, text: JSON.parse(bytes.toString('utf8', middle + 1)) as string };
  }

  #bytes(n: number): Buffer {
    const from = this.#offsets[n]!, length = (this.#offsets[n + 1] ?? this.#size) - from, bytes = Buffer.allocUnsafe(length);
    const read = readInto(this.#fd, bytes, from, 'read the part', this.path);
    if (read < length) throw new FormatError(`Cannot read the part "${this.path}": it ends inside document ${n}. Delete the folder "work" and build again.`, { path: this.path, offset: from + read });
    return bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
