// A finished corpus: a folder with train.jsonl, validation.jsonl and corpus.json. Layer: data (file access).
// corpus.json is written last and holds the size and hash of the others, so that an unfinished or mixed-up folder is noticed.

import { createHash } from 'node:crypto';
import { closeSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { storageError, writeDurable } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { openToRead } from '../base/read-file.ts';
import type { Document } from './document.ts';
import type { CorpusReport } from './report.ts';
import { parseDocument } from './spool.ts';
import type { SplitLevel } from './split.ts';

export const CORPUS_VERSION = 1;
const MANIFEST = 'corpus.json';
const CHUNK_BYTES = 2 ** 20;

/** The two sides of a corpus. */
export type Side = 'train' | 'validation';

/** What `corpus.json` holds. */
export type CorpusManifest = {
  version: number;
  /** Names of the sources, without the way to them: a corpus is the same wherever its files stood. */
  sources: string[];
  seed: number;
  /** What was kept together by the split; `tail` cuts the end off. */
  splitLevel: SplitLevel | 'tail';
  files: Record<Side, { file: string; documents: number; bytes: number; fileBytes: number; sha256: string }>;
  report: CorpusReport;
};

/** Writes one side. @returns its entry in the manifest, without the counts of documents */
export function writeSide(dir: string, side: Side, lines: Iterable<Uint8Array>): { file: string; fileBytes: number; sha256: string } {
  const hash = createHash('sha256'), file = `${side}.jsonl`;
  let fileBytes = 0;
  writeDurable(join(dir, file), (function* counted() {
    for (const line of lines) {
      hash.update(line);
      fileBytes += line.length;
      yield line;
    }
  })());
  return { file, fileBytes, sha256: hash.digest('hex') };
}

/** A corpus on disk. */
export class Corpus {
  readonly dir: string;
  readonly manifest: CorpusManifest;

  private constructor(dir: string, manifest: CorpusManifest) {
    this.dir = dir;
    this.manifest = manifest;
  }

  /** Writes the manifest, which makes the folder a corpus. @throws {StorageError} where the disk refuses */
  static create(dir: string, manifest: CorpusManifest): Corpus {
    writeDurable(join(dir, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    return new Corpus(dir, manifest);
  }

  /**
   * Opens a folder that `buildCorpus` made, and compares its files with their hashes.
   *
   * @throws {StorageError} if there is none
   * @throws {FormatError} if a file is damaged or of another build
   */
  static open(dir: string): Corpus {
    const path = join(dir, MANIFEST);
    let manifest: CorpusManifest;
    try {
      manifest = JSON.parse(readFileSync(path, 'utf8')) as CorpusManifest;
    } catch (cause) {
      if (cause instanceof SyntaxError) throw new FormatError(`Cannot read "${path}": it is not valid JSON. Build the data again.`, { path, cause });
      throw storageError('open the corpus by its manifest', path, cause);
    }
    if (manifest?.version !== CORPUS_VERSION || manifest.files?.train === undefined || manifest.files.validation === undefined) {
      throw new FormatError(
        `Cannot read "${path}": it is not a corpus of version ${CORPUS_VERSION}. Build the data again.`,
        { path },
      );
    }
    const corpus = new Corpus(dir, manifest);
    for (const side of ['train', 'validation'] as const) corpus.#verify(side);
    return corpus;
  }

  /** What happened to every file and document on the way. */
  get report(): CorpusReport {
    return this.manifest.report;
  }

  /**
   * The documents of one side, in order, read as they are asked for.
   *
   * @throws {FormatError} where a line is no document
   */
  *documents(side: Side): Generator<Document> {
    const path = this.#path(side);
    let offset = 0;
    for (const line of readLines(path)) {
      let document: Document;
      try {
        document = parseDocument(line.toString());
      } catch (cause) {
        throw new FormatError(`Cannot read "${path}": the line at byte ${offset} is no document. Build the data again.`, { path, offset, cause });
      }
      yield document;
      offset += line.length + 1;
    }
  }

  /** The texts of one side: what a tokenizer is trained on. */
  *texts(side: Side): Generator<string> {
    for (const document of this.documents(side)) yield document.text;
  }

  #path(side: Side): string {
    return join(this.dir, `${side}.jsonl`);
  }

  #verify(side: Side): void {
    const path = this.#path(side), { fileBytes, sha256 } = this.manifest.files[side], hash = createHash('sha256');
    let size = 0;
    for (const chunk of readChunks(path)) {
      hash.update(chunk);
      size += chunk.length;
    }
    if (size !== fileBytes || hash.digest('hex') !== sha256) {
      const state = size === fileBytes ? 'its content does not match its checksum' : `it has ${size} bytes instead of ${fileBytes}`;
      throw new FormatError(`Cannot read "${path}": ${state}. Build the data again.`, { path, offset: Math.min(size, fileBytes) });
    }
  }
}

/** A file in chunks; each is overwritten by the next. */
function* readChunks(path: string): Generator<Buffer> {
  const fd = openToRead('open the documents', path);
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const length = readSync(fd, buffer, 0, buffer.length, null);
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } catch (cause) {
    throw storageError('read the documents', path, cause);
  } finally {
    closeSync(fd);
  }
}

function* readLines(path: string): Generator<Buffer> {
  let parts: Buffer[] = [];
  for (const chunk of readChunks(path)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      yield parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(Buffer.from(chunk.subarray(start)));
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}
