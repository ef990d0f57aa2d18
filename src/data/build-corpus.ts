// From raw files to a corpus: read → clean → exact copies → near-copies → split → files. Layer: data.
// Same files, options and seed: the same bytes. What one stage does is in its own file; this one puts them in order.

import { basename, join, resolve } from 'node:path';
import { lockFolder } from '../base/lock.ts';
import { ConfigError } from '../base/errors.ts';
import { Corpus, CORPUS_VERSION, writeSide, type Side } from './corpus.ts';
import type { Documents } from './document.ts';
import { dropExactCopies } from './exact-copies.ts';
import { DEFAULT_FILTERS, filterDocuments, type Filter } from './filters.ts';
import { NearCopyIndex, type NearCopySource } from './near-copies.ts';
import { readDocuments } from './read.ts';
import { emptyReport, recordDrop, type CorpusReport } from './report.ts';
import { Shingler, SIGNATURE_LENGTH } from './shingles.ts';
import { capFiles, listFiles, type Caps } from './sources.ts';
import { documentLine, Spool } from './spool.ts';
import { splitByHash, type SplitLevel } from './split.ts';
import type { WalkOptions } from './walk.ts';
import { Pacer, throwIfAborted, type WorkOptions } from './work.ts';

/** How a corpus is built. */
export type CorpusOptions = WorkOptions & WalkOptions & {
  /** Folders and files. */
  sources: readonly string[];
  /** Where the corpus goes. */
  dir: string;
  /** Decides the split (default 0). */
  seed?: number;
  caps?: Caps;
  /** Longest document in UTF-16 units (default 2^20). */
  pieceChars?: number;
  /** Take texts as they are: no repairs, no filters, no search for copies (default false). */
  raw?: boolean;
  filters?: readonly Filter[];
  /** Jaccard similarity from which a document is a near-copy and dropped (default 0.8); `false` keeps near-copies. */
  nearCopies?: number | false;
  /** Share of the bytes held out (default 0.05). */
  validationFraction?: number;
  /** What is kept on one side (default `auto`); `tail` holds out the end of the whole text, as nanoGPT does. */
  split?: SplitLevel | 'tail';
  /** Jaccard similarity from which a held-out document is too near to a training one, and dropped (default 0.5). */
  leakSimilarity?: number | false;
};

/**
 * Builds a corpus in a folder.
 *
 * @throws {ConfigError} if nothing is left to train on; the message says what was found and why it was left out
 * @throws {StorageError} if a source is missing, the disk refuses, or another process works in the folder
 * @throws {InterruptedError} when the signal is aborted; an older corpus in the folder is then still whole
 */
export async function buildCorpus(options: CorpusOptions): Promise<Corpus> {
  checkOptions(options);
  const lock = lockFolder(options.dir);
  try {
    const spool = new Spool(join(options.dir, '.documents.spool'));
    try {
      return await build(options, spool);
    } finally {
      spool.close();
    }
  } finally {
    lock.release();
  }
}

async function build(options: CorpusOptions, spool: Spool): Promise<Corpus> {
  const { raw = false, filters = DEFAULT_FILTERS, nearCopies = 0.8, seed = 0 } = options, report = emptyReport();
  const found = await listFiles(options.sources, report, { ...options, without: [...(options.without ?? []), options.dir] });
  const files = capFiles(found, options.caps ?? {}, report);
  let documents: Documents = readDocuments(files, report, options);
  if (!raw) documents = dropExactCopies(filterDocuments(documents, report, filters), report);
  const signatures = new Signatures(spool);
  for await (const document of documents) {
    if (!raw) signatures.add(document.text);
    spool.add(document);
  }
  if (spool.entries.length === 0) throw nothingLeft(options, report);
  const isKept = spool.entries.map(() => true);
  if (!raw && nearCopies !== false) await dropNearCopies(spool, signatures, isKept, nearCopies, report, options);
  const kept = spool.entries.map((_, i) => i).filter((i) => isKept[i]);
  report.documents.kept = kept.length;
  report.documents.keptBytes = kept.reduce((sum, i) => sum + spool.entries[i]!.bytes, 0);
  throwIfAborted(options.signal, 'write');
  const sides = options.split === 'tail' ? tailSides(spool, kept, options) : hashSides(spool, kept, signatures, report, options);
  const written = {} as Record<Side, ReturnType<typeof writeSide>>;
  for (const side of ['train', 'validation'] as const) {
    const counts = report.split[side], groups = new Set<string>();
    for (const { index, bytes } of sides[side]) {
      counts.documents++;
      counts.bytes += bytes;
      groups.add(spool.entries[index]!.group);
    }
    counts.groups = groups.size;
    written[side] = writeSide(options.dir, side, lines(spool, sides[side]));
  }
  const entry = (side: Side): Corpus['manifest']['files'][Side] => ({ ...written[side], documents: report.split[side].documents, bytes: report.split[side].bytes });
  return Corpus.create(options.dir, {
    version: CORPUS_VERSION,
    sources: options.sources.map((source) => basename(resolve(source))),
    seed,
    splitLevel: sides.level,
    files: { train: entry('train'), validation: entry('validation') },
    report,
  });
}

/** Part of a document for one side: all of it unless `from` and `to` (UTF-16 units) say otherwise. */
type Part = { index: number; bytes: number; from?: number; to?: number };
type Sides = Record<Side, Part[]> & { level: SplitLevel | 'tail' };

/** Groups in the order of their hash, then held-out documents too near to training ones are dropped. */
function hashSides(spool: Spool, kept: number[], signatures: Signatures, report: CorpusReport, options: CorpusOptions): Sides {
  const { validationFraction = 0.05, seed = 0, split = 'auto', leakSimilarity = 0.5, raw = false } = options;
  const items = kept.map((i) => spool.entries[i]!);
  if (validationFraction > 0 && items.length === 1) return tailSides(spool, kept, options);
  const { isValidation, level } = splitByHash(items, { fraction: validationFraction, seed, level: split as SplitLevel });
  const part = (index: number): Part => ({ index, bytes: spool.entries[index]!.bytes });
  const train = kept.filter((_, i) => !isValidation[i]), held = kept.filter((_, i) => isValidation[i]);
  if (raw || leakSimilarity === false || held.length === 0) return { train: train.map(part), validation: held.map(part), level };
  const index = new NearCopyIndex(signatures);
  for (const i of train) index.add(i);
  const validation = held.filter((i) => {
    const copy = index.find(i, leakSimilarity), entry = spool.entries[i]!;
    if (copy === undefined) return true;
    const detail = `${copy.similarity.toFixed(2)} like ${spool.entries[copy.index]!.id}`;
    recordDrop(report.documents.dropped, 'near-training', { path: entry.id, bytes: entry.bytes, detail });
    return false;
  });
  report.documents.kept -= held.length - validation.length;
  report.documents.keptBytes = [...train, ...validation].reduce((sum, i) => sum + spool.entries[i]!.bytes, 0);
  return { train: train.map(part), validation: validation.map(part), level };
}

/** The last part of all text, by characters; the document at the border is cut. */
function tailSides(spool: Spool, kept: number[], options: CorpusOptions): Sides {
  const total = kept.reduce((sum, i) => sum + spool.entries[i]!.chars, 0);
  const sides: Sides = { train: [], validation: [], level: 'tail' };
  let left = Math.floor(total * (1 - (options.validationFraction ?? 0.05)));
  for (const index of kept) {
    const { bytes, chars } = spool.entries[index]!;
    if (chars <= left) sides.train.push({ index, bytes });
    else if (left <= 0) sides.validation.push({ index, bytes });
    else {
      const { text } = spool.document(index), code = text.charCodeAt(left - 1);
      const cut = code >= 0xd800 && code < 0xdc00 ? left + 1 : left; // not inside a surrogate pair
      sides.train.push({ index, bytes: Buffer.byteLength(text.slice(0, cut)), from: 0, to: cut });
      if (cut < chars) sides.validation.push({ index, bytes: Buffer.byteLength(text.slice(cut)), from: cut, to: chars });
    }
    left -= chars;
  }
  return sides;
}

function* lines(spool: Spool, parts: readonly Part[]): Generator<Uint8Array> {
  for (const { index, from, to } of parts) {
    if (from === undefined) yield spool.line(index);
    else {
      const document = spool.document(index);
      yield Buffer.from(documentLine({ ...document, text: document.text.slice(from, to) }));
    }
  }
}

/** Keeps the first of near-copies: a document is dropped if it is near to one that was kept. */
async function dropNearCopies(
  spool: Spool,
  signatures: Signatures,
  isKept: boolean[],
  threshold: number,
  report: CorpusReport,
  options: WorkOptions,
): Promise<void> {
  const index = new NearCopyIndex(signatures), pacer = new Pacer('near-copies', 'documents', signatures.size, options);
  let bytes = 0;
  for (const [i, entry] of spool.entries.entries()) {
    const copy = index.find(i, threshold);
    if (copy === undefined) index.add(i);
    else {
      isKept[i] = false;
      const detail = `${copy.similarity.toFixed(2)} like ${spool.entries[copy.index]!.id}`;
      recordDrop(report.documents.dropped, 'near-copy', { path: entry.id, bytes: entry.bytes, detail });
    }
    bytes += entry.bytes;
    await pacer.step(i + 1, bytes);
  }
}

/** The signatures of the spooled documents, in their order. */
class Signatures implements NearCopySource {
  signatures = new Uint32Array(64 * SIGNATURE_LENGTH);
  size = 0;
  readonly #has: boolean[] = [];
  readonly #shingler = new Shingler();
  readonly #spool: Spool;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  add(text: string): void {
    const at = this.size++ * SIGNATURE_LENGTH;
    if (at + SIGNATURE_LENGTH > this.signatures.length) {
      const larger = new Uint32Array(2 * this.signatures.length);
      larger.set(this.signatures);
      this.signatures = larger;
    }
    this.#has.push(this.#shingler.signature(text, this.signatures.subarray(at, at + SIGNATURE_LENGTH)));
  }

  has(index: number): boolean {
    return this.#has[index]!;
  }

  shingleSet(index: number): Uint32Array {
    return this.#shingler.shingleSet(this.#spool.document(index).text);
  }
}

function checkOptions(options: CorpusOptions): void {
  for (const name of ['validationFraction', 'nearCopies', 'leakSimilarity'] as const) {
    const value = options[name];
    if (value === undefined || value === false || (value >= 0 && value <= 1)) continue;
    throw new ConfigError(`Cannot build a corpus: ${name} is ${value}, and it must lie between 0 and 1.`, { path: `data.${name}` });
  }
  const { pieceChars = 1 } = options;
  if (!Number.isInteger(pieceChars) || pieceChars < 1) {
    throw new ConfigError(`Cannot build a corpus: pieceChars is ${pieceChars}, and it must be a positive integer.`, { path: 'data.pieceChars' });
  }
}

/** Says what there was instead of text. */
function nothingLeft(options: CorpusOptions, report: CorpusReport): ConfigError {
  const { files, documents } = report;
  const parts = [
    ...Object.entries(files.skipped).map(([reason, drop]) => `${drop.count} ${reason}`),
    ...(files.empty > 0 ? [`${files.empty} empty`] : []),
    ...Object.entries(documents.dropped).map(([reason, drop]) => `${drop.count} dropped by ${reason}`),
  ];
  const where = options.sources.map((source) => `"${source}"`).join(', ');
  const state = files.found === 0 && parts.length === 0 ? 'there are no files' : `no text is left of ${files.found} files (${parts.join(', ')})`;
  return new ConfigError(`Cannot build a corpus from ${where}: ${state}. Give a folder with text files, or loosen include, exclude and filters.`, { path: 'data.path' });
}
