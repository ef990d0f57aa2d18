// How the two public evaluations of main text score: shingles of four words (scrapinghub/article-extraction-benchmark,
// evaluate.py: the same to four digits on the texts of two peers), and segments that a text must and must not have (trafilatura, tests/eval_common.py).
// Differences come with a paired bootstrap over pages.

import { Random } from 'athanor/base/random';

/** Shares of true positives, false positives and false negatives of one page; or their counts in segments. */
export type Counts = readonly [tp: number, fp: number, fn: number];

const SHINGLE = 4;

/** Shingles of a text with their numbers. */
function shingles(text: string): Map<string, number> {
  const words = text.match(/[\p{L}\p{N}_]+/gu) ?? [], found = new Map<string, number>();
  for (let i = 0; i < Math.max(1, words.length - SHINGLE + 1); i++) {
    const key = words.slice(i, i + SHINGLE).join(' ');
    if (key !== '') found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

/** Shares that add up to 1, so that a long page has no more weight. */
export function compareShingles(gold: string, text: string): Counts {
  const a = shingles(gold), b = shingles(text);
  let tp = 0, fp = 0, fn = 0;
  for (const [key, count] of a) {
    const other = b.get(key) ?? 0;
    tp += Math.min(count, other);
    fn += Math.max(0, count - other);
  }
  for (const [key, count] of b) fp += Math.max(0, count - (a.get(key) ?? 0));
  const sum = tp + fp + fn;
  return sum === 0 ? [0, 0, 0] : [tp / sum, fp / sum, fn / sum];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** F1 of mean precision and mean recall over pages. */
export function shingleF1(pages: readonly Counts[]): number {
  const precision = mean(pages.filter(([tp, fp]) => tp + fp > 0).map(([tp, fp]) => tp / (tp + fp)));
  const recall = mean(pages.filter(([tp, , fn]) => tp + fn > 0).map(([tp, , fn]) => tp / (tp + fn)));
  return (2 * precision * recall) / (precision + recall);
}

const normal = (text: string): string => text.replace(/\s+/g, ' ').trim();

/** Segments found and missed. */
export function countSegments(text: string, must: readonly string[], mustNot: readonly string[]): Counts {
  const whole = normal(text), has = (segment: string): boolean => whole.includes(normal(segment));
  const tp = must.filter(has).length;
  return [tp, mustNot.filter(has).length, must.length - tp];
}

/** F1 over all segments of all pages. */
export function segmentF1(pages: readonly Counts[]): number {
  const [tp, fp, fn] = pages.reduce(([a, b, c], [d, e, f]) => [a + d, b + e, c + f] as const, [0, 0, 0] as const);
  return (2 * tp) / (2 * tp + fp + fn);
}

/** The 95% interval of `score(ours) − score(theirs)` when pages are drawn anew, the same for both. */
export function pairedInterval(ours: readonly Counts[], theirs: readonly Counts[], score: (pages: readonly Counts[]) => number, draws = 2000): readonly [number, number] {
  const random = new Random(1, 'bench.extract'), differences: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const at = ours.map(() => random.int(ours.length));
    differences.push(score(at.map((i) => ours[i]!)) - score(at.map((i) => theirs[i]!)));
  }
  differences.sort((a, b) => a - b);
  return [differences[Math.floor(0.025 * draws)]!, differences[Math.ceil(0.975 * draws) - 1]!];
}
