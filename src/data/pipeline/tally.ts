// What happened to documents, in a form that sums up: a part has one, a corpus has the sum of its parts. Layer: data (pure).
// JSON-able and without times; merged in the order of the parts it is the same for any number of processes.

import type { Document } from '../document.ts';
import type { Drop } from '../report.ts';

/** What is known of a set of documents. Lengths are counted by powers of two: `lengths[k]` have 2^(k-1) < bytes ≤ 2^k. */
export type Statistics = {
  documents: number;
  bytes: number;
  lengths: number[];
  languages: Record<string, number>;
  domains: Record<string, number>;
  licences: Record<string, number>;
  /** Bytes by source. */
  sources: Record<string, number>;
};

/** The whole account of a part or a corpus. */
export type Tally = {
  before: Statistics;
  after: Statistics;
  /** What sources could not read or left out, by reason. */
  skipped: Record<string, Drop>;
  /** Documents that were dropped, by stage and reason; `bytes` are of their text. */
  drops: Record<string, Drop>;
  /** Documents that were changed, by stage and reason; `bytes` are what was removed of their text. */
  changes: Record<string, Drop>;
  counts: Record<string, number>;
};

const MAX_SAMPLES = 5;
const MAX_DETAIL = 200;
/** Domains that a table keeps: a crawl has millions, and a report shows the largest. */
const MAX_KEYS = 10_000;

export function emptyStatistics(): Statistics {
  return { documents: 0, bytes: 0, lengths: [], languages: {}, domains: {}, licences: {}, sources: {} };
}

export function emptyTally(): Tally {
  return { before: emptyStatistics(), after: emptyStatistics(), skipped: {}, drops: {}, changes: {}, counts: {} };
}

/** Adds a document. @param language as recognised, where the document does not say */
export function countDocument(statistics: Statistics, document: Omit<Document, 'text'>, language = 'unknown'): void {
  const { bytes, origin, licence, meta } = document, bucket = bytes <= 1 ? 0 : Math.ceil(Math.log2(bytes));
  statistics.documents++;
  statistics.bytes += bytes;
  while (statistics.lengths.length <= bucket) statistics.lengths.push(0);
  statistics.lengths[bucket]!++;
  add(statistics.languages, String(meta?.['language'] ?? language), 1);
  add(statistics.domains, domainOf(document), 1);
  add(statistics.licences, licence ?? 'unknown', 1);
  add(statistics.sources, origin?.source ?? '', bytes);
}

/** The host of an address, else the first folder of the path. */
function domainOf({ meta, origin, path }: Omit<Document, 'text'>): string {
  const address = typeof meta?.['url'] === 'string' ? meta['url'] : origin?.file ?? path;
  const host = /^https?:\/\/([^/:?#]+)/i.exec(address)?.[1];
  return host?.toLowerCase() ?? (path.includes('/') ? path.slice(0, path.indexOf('/')) : path);
}

function add(table: Record<string, number>, key: string, by: number): void {
  const own = Object.hasOwn(table, key) || Object.keys(table).length < MAX_KEYS ? key : 'other';
  const value = (Object.hasOwn(table, own) ? table[own]! : 0) + by;
  if (value === 0) delete table[own];
  else define(table, own, value);
}

/** An own key whatever its name: a domain may be called `__proto__`. */
function define<T>(table: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') Object.defineProperty(table, key, { value, enumerable: true, writable: true, configurable: true });
  else table[key] = value;
}

/** Counts one more thing under a reason, with a sample while there are few. */
export function recordReason(table: Record<string, Drop>, reason: string, what: { path: string; bytes: number; detail: string }): void {
  let drop = Object.hasOwn(table, reason) ? table[reason] : undefined;
  if (drop === undefined) define(table, reason, drop = { count: 0, bytes: 0, samples: [] });
  drop.count++;
  drop.bytes += what.bytes;
  if (drop.samples.length < MAX_SAMPLES) drop.samples.push({ path: what.path, detail: what.detail.slice(0, MAX_DETAIL) });
}

/** Adds `more` to `sum`. */
export function mergeTally(sum: Tally, more: Tally): void {
  mergeStatistics(sum.before, more.before);
  mergeStatistics(sum.after, more.after);
  for (const table of ['skipped', 'drops', 'changes'] as const) mergeReasons(sum[table], more[table]);
  for (const [name, value] of Object.entries(more.counts)) add(sum.counts, name, value);
}

export function mergeReasons(sum: Record<string, Drop>, more: Readonly<Record<string, Drop>>): void {
  for (const [reason, { count, bytes, samples }] of Object.entries(more)) {
    const own = Object.hasOwn(sum, reason) ? sum[reason]! : { count: 0, bytes: 0, samples: [] };
    define(sum, reason, { count: own.count + count, bytes: own.bytes + bytes, samples: [...own.samples, ...samples].slice(0, MAX_SAMPLES) });
  }
}

function mergeStatistics(sum: Statistics, more: Statistics): void {
  sum.documents += more.documents;
  sum.bytes += more.bytes;
  for (const [i, count] of more.lengths.entries()) sum.lengths[i] = (sum.lengths[i] ?? 0) + count;
  for (const table of ['languages', 'domains', 'licences', 'sources'] as const) {
    for (const [key, value] of Object.entries(more[table])) add(sum[table], key, value);
  }
}

/** Counts something else: `language.zh`. */
export function countName(tally: Tally, name: string, by = 1): void {
  add(tally.counts, name, by);
}
