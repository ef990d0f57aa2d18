// Every document that was dropped, one JSON line each, gzipped: what `athanor data why` reads. Layer: data (file access).

import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DurableFile, storageError } from '../../base/durable.ts';
import type { Origin } from '../document.ts';
import type { Step } from './part-file.ts';

/** A dropped document. */
export type DroppedDocument = {
  id: string;
  rule: string;
  detail: string;
  bytes: number;
  origin?: Origin | undefined;
  licence?: string | undefined;
  /** What had been done to it before. */
  steps?: readonly Step[];
};

const CHUNK_CHARS = 2 ** 20;

/** Lines as gzip members, one for each megabyte, so that no more is held. */
export class GzipLines {
  readonly #file: DurableFile;
  #lines: string[] = [];
  #chars = 0;

  constructor(path: string) {
    this.#file = new DurableFile(path);
  }

  add(value: unknown): void {
    const line = `${JSON.stringify(value)}\n`;
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#chars >= CHUNK_CHARS) this.#flush();
  }

  /** @param flush as of `DurableFile.commit` */
  close(flush = true): void {
    this.#flush();
    this.#file.commit(flush);
  }

  discard(): void {
    this.#file.discard();
  }

  #flush(): void {
    if (this.#chars > 0) this.#file.write(gzipSync(this.#lines.join(''), { level: 6 }));
    this.#lines = [];
    this.#chars = 0;
  }
}

/** The values of a file of lines. */
export function readGzipLines(path: string): unknown[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw storageError('read', path, cause);
  }
  if (bytes.length === 0) return [];
  const lines = gunzipSync(bytes), values: unknown[] = [];
  for (let from = 0, to: number; from < lines.length; from = to + 1) { // line by line: all of it may be longer than a string can be
    to = lines.indexOf(10, from);
    if (to < 0) to = lines.length;
    if (to > from) values.push(JSON.parse(lines.toString('utf8', from, to)));
  }
  return values;
}
