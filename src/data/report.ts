// What happened to every file and document on the way into a corpus: counts, reasons, samples. Layer: data (pure).
// JSON-able and without times, so that the same input gives the same report.

/** A few examples of what a reason took away. */
export type Sample = { path: string; detail: string };

/** What one reason took away. */
export type Drop = { count: number; bytes: number; samples: Sample[] };

/** The whole report; `bytes` are of files where files are counted, of UTF-8 text where documents are. */
export type CorpusReport = {
  files: { found: number; read: number; bytes: number; empty: number; skipped: Record<string, Drop> };
  encodings: Record<string, number>;
  /** Files in which something was repaired; `invalidSequences` counts replaced sequences. */
  repairs: { invalidFiles: number; invalidSequences: number; carriageReturns: number; controls: number; mojibake: number };
  documents: { read: number; bytes: number; kept: number; keptBytes: number; dropped: Record<string, Drop> };
  split: { train: SplitCounts; validation: SplitCounts };
};

/** One side of a split. */
export type SplitCounts = { documents: number; bytes: number; groups: number };

/** Enough to see what a reason does; more would make reports of large corpora heavy. */
const MAX_SAMPLES = 5;
const MAX_DETAIL = 200;

/** A report with nothing in it. */
export function emptyReport(): CorpusReport {
  return {
    files: { found: 0, read: 0, bytes: 0, empty: 0, skipped: {} },
    encodings: {},
    repairs: { invalidFiles: 0, invalidSequences: 0, carriageReturns: 0, controls: 0, mojibake: 0 },
    documents: { read: 0, bytes: 0, kept: 0, keptBytes: 0, dropped: {} },
    split: { train: { documents: 0, bytes: 0, groups: 0 }, validation: { documents: 0, bytes: 0, groups: 0 } },
  };
}

/** Counts one more thing that `reason` took away. */
export function recordDrop(drops: Record<string, Drop>, reason: string, what: { path: string; bytes: number; detail?: string }): void {
  const drop = (drops[reason] ??= { count: 0, bytes: 0, samples: [] });
  drop.count++;
  drop.bytes += what.bytes;
  if (drop.samples.length < MAX_SAMPLES) drop.samples.push({ path: what.path, detail: (what.detail ?? '').slice(0, MAX_DETAIL) });
}
