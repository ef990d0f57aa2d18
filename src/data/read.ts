// Files to documents: what is text, in which encoding, in pieces of bounded size. Layer: data (file access).
// A file is read in chunks and never held whole, so that its size, and the length of its lines, cost no memory.

import { closeSync, openSync, readSync } from 'node:fs';
import { groupOf, utf8Bytes, type Document } from './document.ts';
import { detectEncoding, SAMPLE_BYTES, StreamDecoder } from './encoding.ts';
import { repairText } from './repair.ts';
import { recordDrop, type CorpusReport } from './report.ts';
import type { SourceFile } from './sources.ts';
import { Pacer, type WorkOptions } from './work.ts';

/** 1 Mi UTF-16 units: 1 MB of English, 3 MB of Chinese. Larger files become several documents. */
export const DEFAULT_PIECE_CHARS = 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

/** How to read. */
export type ReadOptions = WorkOptions & {
  /** Longest document in UTF-16 units (default 2^20). */
  pieceChars?: number | undefined;
  /** Leave the text as it is decoded, without repairs (default false). */
  raw?: boolean | undefined;
};

/**
 * Reads files as documents. Unreadable, binary and empty files are counted in the report and skipped.
 *
 * @throws {InterruptedError} when the signal is aborted
 */
export async function* readDocuments(
  files: readonly SourceFile[],
  report: CorpusReport,
  options: ReadOptions = {},
): AsyncGenerator<Document> {
  const total = files.reduce((sum, file) => sum + file.take, 0), pacer = new Pacer('read', 'bytes', total, options);
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let before = 0;
  for (const file of files) {
    let piece = 0, text = '';
    const progress = { read: 0 };
    for (const next of readPieces(file, buffer, report, options, progress)) {
      if (piece > 0) yield toDocument(file, text, piece, report);
      text = next;
      piece++;
      await pacer.step(before + progress.read, before + progress.read);
    }
    // The last piece of one is the file itself: its id needs no number.
    if (piece > 0) yield toDocument(file, text, piece === 1 ? 0 : piece, report);
    before += file.take;
    await pacer.step(before, before);
  }
  pacer.report(total, total);
}

function toDocument(file: SourceFile, text: string, piece: number, report: CorpusReport): Document {
  const bytes = utf8Bytes(text);
  report.documents.read++;
  report.documents.bytes += bytes;
  return { id: piece === 0 ? file.path : `${file.path}#${piece}`, path: file.path, group: groupOf(file.absolute, file.path), text, bytes };
}

/** The text of one file in pieces; none if it is not text. */
function* readPieces(
  file: SourceFile,
  buffer: Buffer,
  report: CorpusReport,
  options: ReadOptions,
  progress: { read: number },
): Generator<string> {
  const { pieceChars = DEFAULT_PIECE_CHARS, raw = false } = options;
  let fd: number;
  try {
    fd = openSync(file.absolute, 'r');
  } catch (cause) {
    return skip(report, file, 'unreadable', String((cause as NodeJS.ErrnoException).code));
  }
  try {
    let decoder: StreamDecoder | undefined, pending = '';
    for (let position = 0; position < file.take;) {
      // A small first read tells text from binary: executables are not read whole.
      const want = Math.min(decoder === undefined ? SAMPLE_BYTES : CHUNK_BYTES, file.take - position);
      const length = readSync(fd, buffer, 0, want, position);
      if (length === 0) break; // it became shorter meanwhile
      const chunk = buffer.subarray(0, length);
      if (decoder === undefined) {
        const encoding = detectEncoding(chunk);
        if (encoding === 'binary') return skip(report, file, 'binary');
        decoder = new StreamDecoder(encoding);
      }
      position += length;
      progress.read = position;
      pending += decoder.write(chunk);
      while (pending.length > pieceChars) {
        const cut = cutPoint(pending, pieceChars);
        yield finish(pending.slice(0, cut), raw, report);
        pending = pending.slice(cut);
      }
    }
    if (decoder === undefined) return void report.files.empty++;
    pending += decoder.end();
    if (file.take < file.bytes) pending = pending.slice(0, pending.lastIndexOf('\n') + 1 || pending.length); // no half line
    countFile(report, file, decoder);
    if (pending.length > 0) yield finish(pending, raw, report);
  } catch (cause) {
    if (typeof (cause as NodeJS.ErrnoException).code !== 'string' || !('syscall' in (cause as object))) throw cause;
    skip(report, file, 'unreadable', String((cause as NodeJS.ErrnoException).code));
  } finally {
    closeSync(fd);
  }
}

function finish(text: string, raw: boolean, report: CorpusReport): string {
  return raw ? text : repairText(text, report.repairs);
}

function countFile(report: CorpusReport, file: SourceFile, decoder: StreamDecoder): void {
  const { encoding, invalidSequences } = decoder.counts;
  report.files.read++;
  report.files.bytes += file.take;
  report.encodings[encoding] = (report.encodings[encoding] ?? 0) + 1;
  report.repairs.invalidSequences += invalidSequences;
  if (invalidSequences > 0) report.repairs.invalidFiles++;
}

function skip(report: CorpusReport, file: SourceFile, reason: string, detail = ''): void {
  recordDrop(report.files.skipped, reason, { path: file.path, bytes: file.bytes, detail });
}

/**
 * Where to cut a long text: after the last paragraph, else line, else word in the second half of the limit, else at the
 * limit, never inside a surrogate pair.
 */
export function cutPoint(text: string, limit: number): number {
  for (const end of ['\n\n', '\n', '\u3002', ' ']) {
    const at = text.lastIndexOf(end, limit - end.length);
    if (at >= limit / 2) return at + end.length;
  }
  const before = text.charCodeAt(limit - 1);
  return before >= 0xd800 && before < 0xdc00 && limit > 1 ? limit - 1 : limit;
}
