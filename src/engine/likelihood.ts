// What a row of logits says: the likeliest tokens and their log-probabilities. Layer: engine.

import { Largest } from './largest.ts';

/** A token of some rank and its log-probability under the unmodified distribution. */
export interface Alternative {
  readonly id: number;
  readonly logprob: number;
}

/** The index of the largest number, the lowest of equal ones. NaN never wins. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0, top = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! > top) {
      best = i;
      top = values[i]!;
    }
  }
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
export function likeliest(logits: Float32Array, n: number, lse = logSumExp(logits)): Alternative[] {
  const largest = new Largest();
  largest.reset(Math.min(n, logits.length));
  largest.offerAll(logits);
  largest.sort();
  return Array.from({ length: largest.size }, (_, i) => ({ id: largest.id(i), logprob: largest.value(i) - lse }));
}
