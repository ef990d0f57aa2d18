// One token out of a row of scores: temperature, top-k, top-p, min-p. Layer: engine.
// Definitions as in Hugging Face's generation: temperature, top-k (Fan et al. 2018, arXiv 1805.04833), top-p (Holtzman et al.
// 2020, arXiv 1904.09751), min-p (Nguyen et al. 2024, arXiv 2407.01082), in this order.
// It runs between two steps of the model while all cores wait, so it keeps its memory and sorts no more than it must.

import { ExpTable } from './exp-table.ts';
import { Largest } from './largest.ts';
import { argmax } from './likelihood.ts';

export interface Cuts {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** Tokens of one partial sum: the draw looks for its block first, then inside. */
const BLOCK = 256;

export class Chooser {
  readonly #exp = new ExpTable();
  readonly #kept = new Largest();
  #sums = new Float64Array(0);
  /** The weight that top-p asks for: p times that of all tokens. */
  #enough = 0;

  /**
   * @param scores [V]; −∞ and NaN are never chosen while there is anything else
   * @param uniform from [0, 1): what chance says
   */
  choose(scores: Float32Array, cuts: Cuts, uniform: number): number {
    const best = argmax(scores), top = scores[best]!;
    if (cuts.temperature === 0 || !Number.isFinite(top)) return best;
    if (cuts.topK === 0 && cuts.topP === 1 && cuts.minP === 0) return this.#ofAll(scores, top, cuts.temperature, uniform, best);
    this.#keep(scores, top, cuts);
    return this.#ofKept(top, cuts, uniform);
  }

  #ofAll(scores: Float32Array, top: number, temperature: number, uniform: number, best: number): number {
    let left = uniform * this.#total(scores, top, temperature);
    let block = 0, last = best;
    while ((block + 1) * BLOCK < scores.length && left >= this.#sums[block]!) left -= this.#sums[block++]!;
    for (let id = block * BLOCK; id < scores.length; id++) {
      const weight = this.#exp.of((scores[id]! - top) / temperature);
      if ((left -= weight) < 0) return id;
      if (weight > 0) last = id;
    }
    return last; // rounding left a remainder
  }

  #total(scores: Float32Array, top: number, temperature: number): number {
    const blocks = Math.ceil(scores.length / BLOCK);
    if (this.#sums.length < blocks) this.#sums = new Float64Array(blocks);
    return this.#exp.blockSums(scores, top, temperature, BLOCK, this.#sums);
  }

  /** The likeliest tokens, in order, at least as many as the cuts leave. */
  #keep(scores: Float32Array, top: number, { temperature, topK, topP, minP }: Cuts): void {
    if (topK > 0) {
      this.#kept.reset(Math.min(topK, scores.length));
      this.#kept.offerAll(scores);
    } else if (topP === 1) this.#keepAbove(scores, top + temperature * Math.log(minP) - 1e-6 * (1 + Math.abs(top))); // rounding: `#ofKept` decides
    else this.#keepShare(scores, top, temperature, topP);
    this.#kept.sort();
  }

  #keepAbove(scores: Float32Array, least: number): void {
    this.#kept.reset(scores.length);
    for (let id = 0; id < scores.length; id++) if (scores[id]! > least) this.#kept.offer(id, scores[id]!);
  }

  /** Sorting what is above a bar is much less than sorting all; the bar sinks until enough is above it. */
  #keepShare(scores: Float32Array, top: number, temperature: number, topP: number): void {
    const enough = topP * this.#total(scores, top, temperature);
    this.#enough = enough;
    for (let depth = 4;; depth *= 2) {
      this.#keepAbove(scores, depth > 700 ? -Infinity : top - depth * temperature);
      let sum = 0;
      for (let i = 0; i < this.#kept.size; i++) sum += this.#exp.of((this.#kept.value(i) - top) / temperature);
      if (sum >= enough || depth > 700) return;
    }
  }

  #ofKept(top: number, { temperature, topK, topP, minP }: Cuts, uniform: number): number {
    const kept = this.#kept, weight = (i: number): number => this.#exp.of((kept.value(i) - top) / temperature);
    let enough = topP === 1 ? Infinity : this.#enough;
    if (topK > 0 && topP < 1) {
      enough = 0;
      for (let i = 0; i < kept.size; i++) enough += weight(i);
      enough *= topP;
    }
    let n = 0, sum = 0;
    for (; n < kept.size; n++) {
      const next = weight(n);
      if (n > 0 && (sum >= enough || next < minP)) break; // the first one's weight is 1
      sum += next;
    }
    let left = uniform * sum;
    for (let i = 0; i < n; i++) if ((left -= weight(i)) < 0) return kept.id(i);
    return kept.id(n - 1); // rounding left a remainder
  }
}
