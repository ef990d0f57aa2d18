// Documents on disk, one JSON object a line, in one pass forward and at any number later. Layer: data (file access).
// The pipeline's working memory: what must see all documents (near-copies, the split) keeps a few hundred bytes a document in
// memory, and reads a text again when it needs it. The lines are those of the finished corpus.

import { closeSync, openSync, rmSync } from 'node:fs';
import { storageError, writeAll } from '../base/durable.ts';
import { readInto } from '../base/read-file.ts';
import type { Document } from './document.ts';

/** What stays in memory of a document. */
export type SpoolEntry = { id: string; group: string; path: string; bytes: number; chars: number; offset: number; length: number };

const WRITE_BYTES = 2 ** 20;

/** The line of a document. */
export function documentLine(document: Document): string {
  return `${JSON.stringify({ id: document.id, path: document.path, group: document.group, text: document.text })}\n`;
}

/** A temporary file of documents. Call `close` in any case: it removes the file. */
export class Spool {
  readonly entries: SpoolEntry[] = [];
  readonly #path: string;
  readonly #fd: number;
  #offset = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #closed = false;

  /** @throws {StorageError} if the file cannot be made */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'w+');
    } catch (cause) {
      throw storageError('make the working file', path, cause);
    }
  }

  /** Appends a document. @throws {StorageError} where the disk refuses */
  add(document: Document): void {
    const { id, group, path, bytes, text } = document, line = Buffer.from(documentLine(document));
    this.entries.push({ id, group, path, bytes, chars: text.length, offset: this.#offset + this.#pendingBytes, length: line.length });
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  /** The line of document `index`, as bytes. */
  line(index: number): Buffer {
    this.#flush();
    const { offset, length } = this.entries[index]!, line = Buffer.allocUnsafe(length);
    const read = readInto(this.#fd, line, offset, 'read the working file', this.#path);
    if (read < length) throw storageError('read the working file', this.#path, Object.assign(new Error('the file ends'), { code: 'EIO' }));
    return line;
  }

  /** Document `index`. */
  document(index: number): Document {
    return parseDocument(this.line(index).toString(), this.entries[index]!.bytes);
  }

  /** Closes and removes the file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }

  #flush(): void {
    if (this.#pendingBytes === 0) return;
    try {
      writeAll(this.#fd, Buffer.concat(this.#pending));
    } catch (cause) {
      throw storageError('write the working file', this.#path, cause);
    }
    this.#offset += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

/** The document of a line. */
export function parseDocument(line: string, bytes?: number): Document {
  const { id, path, group, text } = JSON.parse(line) as Omit<Document, 'bytes'>;
  return { id, path, group, text, bytes: bytes ?? Buffer.byteLength(text) };
}
