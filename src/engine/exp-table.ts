// e^x for x ≤ 0, many at once: a table of 2^(−i/1024), one of whole powers and a short polynomial. Layer: engine.
// Math.exp takes 8–15 ns and may differ between JavaScript engines in the last bit; this takes 2 ns and is the same
// everywhere, and so is the text that a seed gives.

const STEPS = 1024;
/** Beyond this e^x is nothing beside e^0, whatever the vocabulary. */
const LEAST = -700;

export class ExpTable {
  readonly #fractions = Float64Array.from({ length: STEPS }, (_, i) => 2 ** (-i / STEPS));
  readonly #powers = Float64Array.from({ length: 1 + Math.ceil(-LEAST / Math.LN2) }, (_, i) => 2 ** -i);

  /** e^x for x ≤ 0, relative error below 1e-13; 0 below −700 and for NaN. */
  of(x: number): number {
    if (!(x > LEAST)) return 0;
    const i = (x * (-STEPS / Math.LN2)) | 0, r = x + i * (Math.LN2 / STEPS); // −ln 2/1024 < r ≤ 0: r⁴/24 < 1e-14
    return this.#fractions[i & (STEPS - 1)]! * this.#powers[i >> 10]! * (1 + r * (1 + r * (0.5 + r / 6)));
  }

  /**
   * Sums of e^((x − top)/temperature) over blocks of `size`.
   *
   * @param sums one for each block, written
   * @returns the sum of all
   */
  blockSums(x: Float32Array, top: number, temperature: number, size: number, sums: Float64Array): number {
    const fractions = this.#fractions, powers = this.#powers;
    let total = 0;
    for (let block = 0, at = 0; at < x.length; block++) {
      const end = Math.min(x.length, at + size);
      let sum = 0;
      for (; at < end; at++) {
        const y = (x[at]! - top) / temperature;
        if (!(y > LEAST)) continue;
        const i = (y * (-STEPS / Math.LN2)) | 0, r = y + i * (Math.LN2 / STEPS); // `of`, without a call for each
        sum += fractions[i & (STEPS - 1)]! * powers[i >> 10]! * (1 + r * (1 + r * (0.5 + r / 6)));
      }
      sums[block] = sum;
      total += sum;
    }
    return total;
  }

  /**
   * Sums of e^−depth, depth = (top − x)/temperature, over bins of `fineness` for each unit of depth; the last has the rest.
   *
   * @param bins written
   * @returns the sum of all
   */
  binSums(x: Float32Array, top: number, temperature: number, fineness: number, bins: Float64Array): number {
    const fractions = this.#fractions, powers = this.#powers, last = bins.length - 1;
    let total = 0;
    bins.fill(0);
    for (let at = 0; at < x.length; at++) {
      const depth = (top - x[at]!) / temperature;
      if (!(depth < -LEAST)) continue;
      const i = (depth * (STEPS / Math.LN2)) | 0, r = i * (Math.LN2 / STEPS) - depth; // `of`, without a call for each
      const weight = fractions[i & (STEPS - 1)]! * powers[i >> 10]! * (1 + r * (1 + r * (0.5 + r / 6))), bin = (depth * fineness) | 0;
      bins[bin < last ? bin : last]! += weight;
      total += weight;
    }
    return total;
  }
}
