// One token out of a row of scores: temperature, top-k, top-p, min-p. Layer: engine.
// Definitions as in Hugging Face's generation: temperature, top-k (Fan et al. 2018, arXiv 1805.04833), top-p (Holtzman et al.
// 2020, arXiv 1904.09751), min-p (Nguyen et al. 2024, arXiv 2407.01082), in this order.
// It runs between two steps of the model while all cores wait, so it keeps its memory and sorts no more than it must: where
// top-p or min-p cuts is found among bins of scores, and only the bin with the cut is sorted. Sorting what they keep of 49,000
// tokens took 12 ms where the distribution was flat.

import { ExpTable } from './exp-table.ts';
import { Largest } from './largest.ts';
import { argmax } from './likelihood.ts';

export interface Cuts {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** Tokens of one partial sum: a draw without cuts looks for its block first, then inside. */
const BLOCK = 256;
/** Bins for each factor of e below the likeliest, and all of them: beyond e^−32 all are one. */
const [FINENESS, BINS] = [64, 2048];

export class Chooser {
  readonly #exp = new ExpTable();
  readonly #kept = new Largest();
  readonly #bins = new Float64Array(BINS);
  #sums = new Float64Array(0);

  /**
   * @param scores [V]; −∞ and NaN are never chosen while there is anything else
   * @param uniform from [0, 1): what chance says
   */
  choose(scores: Float32Array, cuts: Cuts, uniform: number): number {
    const best = argmax(scores), top = scores[best]!, { temperature, topK, topP, minP } = cuts;
    if (temperature === 0 || !Number.isFinite(top)) return best;
    if (topK > 0) return this.#ofLargest(scores, top, cuts, uniform);
    return topP === 1 && minP === 0 ? this.#ofAll(scores, top, temperature, uniform, best) : this.#ofBins(scores, top, cuts, uniform, best);
  }

  #ofAll(scores: Float32Array, top: number, temperature: number, uniform: number, best: number): number {
    const blocks = Math.ceil(scores.length / BLOCK);
    if (this.#sums.length < blocks) this.#sums = new Float64Array(blocks);
    let left = uniform * this.#exp.blockSums(scores, top, temperature, BLOCK, this.#sums);
    let block = 0, last = best;
    while ((block + 1) * BLOCK < scores.length && left >= this.#sums[block]!) left -= this.#sums[block++]!;
    for (let id = block * BLOCK; id < scores.length; id++) {
      const weight = this.#exp.of((scores[id]! - top) / temperature);
      if ((left -= weight) < 0) return id;
      if (weight > 0) last = id;
    }
    return last; // rounding left a remainder
  }

  #ofLargest(scores: Float32Array, top: number, { temperature, topK, topP, minP }: Cuts, uniform: number): number {
    this.#kept.reset(Math.min(topK, scores.length));
    this.#kept.offerAll(scores);
    this.#kept.sort();
    let enough = Infinity;
    if (topP < 1) {
      enough = 0;
      for (let i = 0; i < this.#kept.size; i++) enough += this.#weight(i, top, temperature);
      enough *= topP;
    }
    const { n, sum } = this.#cut(top, temperature, enough, minP, 0);
    return this.#draw(uniform * sum, n, top, temperature);
  }

  #ofBins(scores: Float32Array, top: number, { temperature, topP, minP }: Cuts, uniform: number, best: number): number {
    const bins = this.#bins, total = this.#exp.binSums(scores, top, temperature, FINENESS, bins), enough = topP === 1 ? Infinity : topP * total;
    const deepest = minP === 0 ? BINS - 1 : Math.min(BINS - 1, Math.floor(-Math.log(minP) * FINENESS)); // the bin that min-p cuts
    let before = 0, bin = 0;
    while (bin < deepest && before + bins[bin]! < enough) before += bins[bin++]!;
    this.#keepBin(scores, top, temperature, bin);
    this.#kept.sort();
    const { n, sum } = this.#cut(top, temperature, enough, minP, before);
    let left = uniform * sum;
    if (n > 0 && left >= before) return this.#draw(left - before, n, top, temperature);
    let chosen = 0;
    while (chosen < bin - 1 && left >= bins[chosen]!) left -= bins[chosen++]!;
    this.#keepBin(scores, top, temperature, chosen);
    return this.#kept.size > 0 ? this.#draw(left, this.#kept.size, top, temperature) : best; // rounding left a remainder in an empty bin
  }

  /** The tokens of a bin. */
  #keepBin(scores: Float32Array, top: number, temperature: number, bin: number): void {
    // Most are far from it, which a comparison tells; those near it are placed as `binSums` places them.
    const margin = 1e-6 * (1 + Math.abs(top)), highest = top - (bin / FINENESS) * temperature + margin;
    const lowest = bin === BINS - 1 ? -Infinity : top - ((bin + 1) / FINENESS) * temperature - margin;
    this.#kept.reset(scores.length);
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (!(score > lowest && score <= highest)) continue;
      const depth = (top - score) / temperature;
      if (depth < Infinity && Math.min(BINS - 1, Math.floor(depth * FINENESS)) === bin) this.#kept.offer(id, scores[id]!);
    }
  }

  #weight(i: number, top: number, temperature: number): number {
    return this.#exp.of((this.#kept.value(i) - top) / temperature);
  }

  /** How many of the sorted ones stay, after others of the weight `before`; and the weight of all that stay. */
  #cut(top: number, temperature: number, enough: number, minP: number, before: number): { n: number; sum: number } {
    let n = 0, sum = before;
    for (; n < this.#kept.size; n++) {
      const next = this.#weight(n, top, temperature);
      if (sum > 0 && (sum >= enough || next < minP)) break; // the first one's weight is 1: it stays
      sum += next;
    }
    return { n, sum };
  }

  /** Of the first `n` kept, the one in which `left` of their weight ends. */
  #draw(left: number, n: number, top: number, temperature: number): number {
    for (let i = 0; i < n; i++) if ((left -= this.#weight(i, top, temperature)) < 0) return this.#kept.id(i);
    return this.#kept.id(n - 1); // rounding left a remainder
  }
}
