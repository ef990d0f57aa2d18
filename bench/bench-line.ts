// What a bench reports: one case against one peer. Scripts read these lines, so their fields are kept.

/** Units in which more is better, and those in which less is. */
export type Unit = 'tokens/s' | 'GFLOP/s' | 'GB/s' | 'MB/s' | 's' | 'MB' | 'nats' | 'F1' | 'pages/s';

export interface BenchLine {
  readonly bench: string;
  /** Words from the general to the particular: `gpt2-124m bf16`. */
  readonly case: string;
  /** Ours; null where we could not be measured either. */
  readonly value: number | null;
  readonly unit: Unit;
  /** The machine's bound in the same unit, where there is one. */
  readonly limit: number | null;
  /** Null for a measurement of the machine itself. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  /** Ours over the peer's, above 1 where we are better, whatever the unit; null without a peer. */
  readonly ratio: number | null;
}

const LESS_IS_BETTER: ReadonlySet<Unit> = new Set(['s', 'MB', 'nats']);

/** How many times better `value` is than `peerValue`. */
export function ratioOf(unit: Unit, value: number | null, peerValue: number | null): number | null {
  if (value === null || peerValue === null || !(value > 0) || !(peerValue > 0)) return null;
  return LESS_IS_BETTER.has(unit) ? peerValue / value : value / peerValue;
}

/** Middle of the values; the mean of the two in the middle of an even number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Three significant digits, without an exponent: 19200, 173, 1.85, 0.0123. */
export function shortNumber(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return digits > 0 ? digits > 6 ? value.toExponential(2) : value.toFixed(digits) : String(Math.round(value));
}

/** Lines as a table for people. */
export function formatTable(lines: readonly BenchLine[]): string {
  const head = ['bench', 'case', 'value', 'unit', 'limit', 'peer', 'peer value', 'ratio'];
  const rows = lines.map((l) => [
    l.bench,
    l.case,
    shortNumber(l.value),
    l.unit,
    shortNumber(l.limit),
    l.peer ?? '–',
    shortNumber(l.peerValue),
    l.ratio === null ? '–' : l.ratio.toFixed(2),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const isNumber = (i: number): boolean => [2, 4, 6, 7].includes(i);
  return [head, ...rows].map((row) => row.map((cell, i) => (isNumber(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ').trimEnd()).join('\n');
}
