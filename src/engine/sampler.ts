// From logits to a token. Layer: engine.
// Order and definitions as in Hugging Face's generation: repetition penalty (Keskar et al. 2019, arXiv 1909.05858, section
// 4.1), temperature, top-k (Fan et al. 2018, arXiv 1805.04833), top-p (Holtzman et al. 2020, arXiv 1904.09751), min-p
// (Nguyen et al. 2024, arXiv 2407.01082).

import { z } from 'zod';
import { Random } from '../base/random.ts';

/** How tokens are chosen. The command line, recipes and servers show these fields. */
export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(100).default(1).describe('divides the logits; 0 always takes the likeliest token'),
  topK: z.int().min(0).default(0).describe('keep this many of the likeliest tokens; 0 keeps all'),
  topP: z.number().gt(0).max(1).default(1).describe('keep the likeliest tokens that together have this probability'),
  minP: z.number().min(0).max(1).default(0).describe('drop tokens less likely than this share of the likeliest one'),
  repetitionPenalty: z.number().gt(0).default(1).describe('makes tokens that were there before less likely, above 1'),
  seed: z.int().min(0).default(0).describe('the same seed gives the same text'),
});

export type Sampling = z.infer<typeof samplingSchema>;

/** A token of some rank and its log-probability under the unmodified distribution. */
export interface Alternative {
  readonly id: number;
  readonly logprob: number;
}

/** The index of the largest number, the lowest of equal ones. NaN never wins. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0, top = -Infinity;
  for (let i = 0; i < values.length; i++) if (values[i]! > top) [best, top] = [i, values[i]!];
  return best;
}

/** log Σ exp(x), without overflow. */
export function logSumExp(x: ArrayLike<number>): number {
  const top = x[argmax(x)]!;
  if (!Number.isFinite(top)) return top;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp(x[i]! - top);
  return top + Math.log(sum);
}

/** The likeliest `n` tokens of a distribution. */
export function likeliest(logits: Float32Array, n: number): Alternative[] {
  const lse = logSumExp(logits), order = new Descending(logits);
  return Array.from({ length: Math.min(n, logits.length) }, () => order.next()!).map((id) => ({ id, logprob: logits[id]! - lse }));
}

/**
 * Chooses one token.
 *
 * @param logits [V], not changed
 * @param history ids so far, prompt included (for the repetition penalty)
 * @param position tokens generated before: with the seed it decides the random number, so that a request's text does not
 * depend on what else is in the batch
 */
export function sample(logits: Float32Array, history: Iterable<number>, options: Sampling, position: number): number {
  const scores = options.repetitionPenalty === 1 ? logits : penalised(logits, history, options.repetitionPenalty);
  if (options.temperature === 0) return argmax(scores);
  const kept = candidates(scores, options), top = scores[kept[0]!]!;
  const weights = kept.map((id) => Math.exp((scores[id]! - top) / options.temperature));
  let left = new Random(options.seed, 'sample', 4 * position).uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < kept.length; i++) if ((left -= weights[i]!) < 0) return kept[i]!;
  return kept[kept.length - 1]!; // rounding left a remainder
}

function penalised(logits: Float32Array, history: Iterable<number>, penalty: number): Float32Array {
  const scores = logits.slice();
  for (const id of new Set(history)) scores[id] = scores[id]! > 0 ? scores[id]! / penalty : scores[id]! * penalty;
  return scores;
}

/** Ids that may be chosen, the likeliest first. Never empty. */
function candidates(scores: Float32Array, { temperature, topK, topP, minP }: Sampling): number[] {
  const best = argmax(scores);
  if (topK === 0 && topP === 1 && minP === 0) return [best, ...Array.from(scores.keys()).filter((id) => id !== best)];
  const weight = (id: number): number => Math.exp((scores[id]! - scores[best]!) / temperature);
  const order = new Descending(scores), limit = topK === 0 ? scores.length : Math.min(topK, scores.length);
  if (topK > 0) {
    const kept = Array.from({ length: limit }, () => order.next()!);
    return withinShares(kept, weight, topP * kept.reduce((sum, id) => sum + weight(id), 0), minP);
  }
  let total = 0;
  for (let id = 0; id < scores.length; id++) total += weight(id);
  return withinShares(descending(order), weight, topP * total, minP);
}

function* descending(order: Descending): Generator<number> {
  for (let id = order.next(); id !== undefined; id = order.next()) yield id;
}

/** The shortest beginning of `ids` that has weight `enough`, of it those of at least `minP` times the first one's. */
function withinShares(ids: Iterable<number>, weight: (id: number) => number, enough: number, minP: number): number[] {
  const kept: number[] = [];
  let sum = 0;
  for (const id of ids) {
    if (kept.length > 0 && (sum >= enough || weight(id) < minP)) break; // the first one's weight is 1
    kept.push(id);
    sum += weight(id);
  }
  return kept;
}

/** Indices from the largest value down, lazily: a heap costs V once and log V a step, where a sort costs V log V. */
class Descending {
  readonly #values: Float32Array;
  readonly #heap: Int32Array;
  #size: number;

  constructor(values: Float32Array) {
    this.#values = values;
    this.#heap = Int32Array.from(values.keys());
    this.#size = values.length;
    for (let i = (this.#size >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  next(): number | undefined {
    if (this.#size === 0) return undefined;
    const top = this.#heap[0]!;
    this.#heap[0] = this.#heap[--this.#size]!;
    this.#sink(0);
    return top;
  }

  /** Larger values first, equal ones by index. */
  #before(a: number, b: number): boolean {
    const x = this.#values[a]!, y = this.#values[b]!;
    return x > y || (x === y && a < b);
  }

  #sink(start: number): void {
    const heap = this.#heap;
    for (let i = start;;) {
      const left = 2 * i + 1;
      if (left >= this.#size) return;
      const child = left + 1 < this.#size && this.#before(heap[left + 1]!, heap[left]!) ? left + 1 : left;
      if (!this.#before(heap[child]!, heap[i]!)) return;
      [heap[i], heap[child]] = [heap[child]!, heap[i]!];
      i = child;
    }
  }
}
