// The searches for scales of the k-quants: which step and offset lose least, tried over a grid. Layer: core.
// ggml's make_qkx2_quants and make_qx_quants (ggml/src/ggml-quants.c), operation for operation in f32: every product and sum
// is rounded where theirs is, so that the blocks come out with the same bits. That is what all the `fround`s are for.

/** Room for one block of 256 values; made once for many blocks. */
export interface Scratch {
  /** Quantised values of the block. */
  readonly levels: Uint8Array;
  /** Of one group, as a step of the search has them. */
  readonly trial: Float32Array;
  readonly weights: Float32Array;
  /** The groups' scales, and how far below zero they begin. */
  readonly scales: Float32Array;
  readonly mins: Float32Array;
}

export function makeScratch(): Scratch {
  return {
    levels: new Uint8Array(256),
    trial: new Float32Array(32),
    weights: new Float32Array(32),
    scales: new Float32Array(16),
    mins: new Float32Array(16),
  };
}

const { fround, abs } = Math;

/** 1.5·2²³: an f32 of this size has steps of one, so that adding it rounds to a whole number, ties to even. */
const MAGIC = 12582912;

/** Scratch for looking at bits; nothing stays in it between calls. */
const WORD = new Float32Array(1), BITS = new Int32Array(WORD.buffer);

/** ggml's nearest_int: the nearest whole number, ties to even; whatever the bits give beyond ±2²², where theirs does so too. */
export function nearestInt(x: number): number {
  WORD[0] = x + MAGIC;
  return (BITS[0]! & 0x7fffff) - 0x400000;
}

/** The same for doubles, 1.5·2⁵². */
const WIDE_MAGIC = 2 ** 52 * 1.5;

/**
 * `nearestInt(fround(x))`, kept within [low, high], for an unrounded product x. The double is rounded at once, with no detour
 * through memory, but where rounding it to f32 first may matter: near a tie, or far outside.
 */
export function nearestWithin(x: number, low: number, high: number): number {
  const near = x + WIDE_MAGIC - WIDE_MAGIC;
  if (abs(x - near) < 0.49999 && abs(near) < 2 ** 7) return near < low ? low : near > high ? high : near;
  return Math.max(low, Math.min(high, nearestInt(fround(x))));
}

/** A search's grid: how many steps of 0.1, and where they begin beside `levels`, the largest level. */
export interface Grid {
  readonly levels: number;
  readonly from: number;
  readonly steps: number;
}

/** Of q4_k, 14 to 16 levels; of q5_k, 30.5 to 32. */
export const GRID_Q4K: Grid = { levels: 15, from: -1, steps: 20 }, GRID_Q5K: Grid = { levels: 31, from: -0.5, steps: 15 };

/** Groups of both. */
const GROUP = 32, STEP = fround(0.1);

/**
 * Levels from 0 to the grid's, a scale and a minimum (at most zero) for the 32 values from `at` on: x ≈ scale·level + minimum. They make
 * Σ w·(scale·level + minimum − x)² small, w being what `scratch.weights` holds.
 *
 * @param group which of the block's eight it is: its levels and its −minimum go to `scratch`
 * @returns the scale
 */
export function searchScaleAndMin(x: Float32Array, at: number, group: number, grid: Grid, scratch: Scratch): number {
  const { levels: most, from, steps } = grid;
  const { levels, trial, weights, mins } = scratch, base = GROUP * group;
  let min = x[at]!, max = min, sumW = weights[0]!, sumX = fround(sumW * min), sumX2 = sumX * min;
  for (let i = 1; i < GROUP; i++) {
    const v = x[at + i]!, w = weights[i]!;
    if (v < min) min = v;
    if (v > max) max = v;
    sumW = fround(sumW + w);
    sumX = fround(sumX + fround(w * v));
    sumX2 += w * v * v;
  }
  if (min > 0) min = 0;
  if (max === min) {
    levels.fill(0, base, base + GROUP);
    mins[group] = -min;
    return 0;
  }
  const first = fround(most / fround(max - min));
  let scale = fround(1 / first), bestError = 0;
  for (let i = 0; i < GROUP; i++) {
    const v = x[at + i]!, level = nearestWithin(first * fround(v - min), 0, most);
    levels[base + i] = level;
    const diff = fround(fround(fround(scale * level) + min) - v);
    bestError = fround(bestError + fround(weights[i]! * fround(diff * diff)));
  }
  for (let step = 0; step <= steps; step++) {
    const inverse = fround(fround(fround(from + fround(STEP * step)) + most) / fround(max - min));
    let sumL = 0, sumL2 = 0, sumXl = 0;
    for (let i = 0; i < GROUP; i++) {
      const v = x[at + i]!, level = nearestWithin(inverse * fround(v - min), 0, most), wl = fround(weights[i]! * level);
      trial[i] = level;
      sumL = fround(sumL + wl);
      sumL2 = fround(sumL2 + fround(wl * level));
      sumXl = fround(sumXl + fround(wl * v));
    }
    const determinant = fround(fround(sumW * sumL2) - fround(sumL * sumL));
    if (!(determinant > 0)) continue;
    let newScale = fround(fround(fround(sumW * sumXl) - fround(sumX * sumL)) / determinant);
    let newMin = fround(fround(fround(sumL2 * sumX) - fround(sumL * sumXl)) / determinant);
    if (newMin > 0) {
      newMin = 0;
      newScale = fround(sumXl / sumL2);
    }
    // Most steps are worse by far, which the sums at hand tell. Rounding (32 additions, 2·10⁻⁶ each at most) moves them and
    // the six terms here by less than 10⁻⁵ of `lines`: with 4·10⁻⁵ to spare no step is left out that could win below.
    const lines = newScale * newScale * sumL2 + newMin * newMin * sumW + sumX2, crossed = newScale * (newMin * sumL - sumXl) - newMin * sumX;
    if (lines + 2 * crossed - 4e-5 * lines > 1.0001 * bestError) continue;
    let error = 0;
    for (let i = 0; i < GROUP; i++) {
      const diff = fround(fround(fround(newScale * trial[i]!) + newMin) - x[at + i]!);
      error = fround(error + fround(weights[i]! * fround(diff * diff)));
    }
    if (error < bestError) {
      for (let i = 0; i < GROUP; i++) levels[base + i] = trial[i]!;
      bestError = error;
      scale = newScale;
      min = newMin;
    }
  }
  mins[group] = -min;
  return scale;
}

/** Groups of q6_k have 16 values; smaller ones than this count as zero (ggml's GROUP_MAX_EPS). */
const SIGNED_GROUP = 16, TINY = fround(1e-15);

/** Whether a scale, or a largest value, counts as zero. */
export const isTiny = (size: number): boolean => size < TINY;

/**
 * Levels −32…31, kept with 32 added, and a scale for the 16 values from `at` on: x ≈ scale·level. They make
 * Σ x²·(scale·level − x)² small.
 *
 * @param group which of the block's sixteen it is
 * @returns the scale
 */
export function searchScale(x: Float32Array, at: number, group: number, { levels, weights, trial }: Scratch): number {
  const base = SIGNED_GROUP * group;
  let max = 0, size = 0;
  for (let i = 0; i < SIGNED_GROUP; i++) {
    const v = x[at + i]!, w = fround(v * v);
    if (abs(v) > size) {
      size = abs(v);
      max = v;
    }
    weights[i] = w;
    trial[i] = w * v;
  }
  if (isTiny(size)) {
    levels.fill(0, base, base + SIGNED_GROUP);
    return 0;
  }
  let scale = 0, best = 0;
  for (let n = 0; n <= 18; n++) { // the middle of the grid, 32 levels, comes first and is taken as it is
    const step = n === 0 ? 0 : n <= 9 ? n - 10 : n - 9, inverse = fround(-fround(32 + fround(STEP * step)) / max);
    let sumLx = 0, sumL2 = 0;
    for (let i = 0; i < SIGNED_GROUP; i++) {
      const level = nearestWithin(inverse * x[at + i]!, -32, 31);
      sumLx = fround(sumLx + fround(trial[i]! * level));
      sumL2 = fround(sumL2 + fround(fround(weights[i]! * level) * level));
    }
    if (n > 0 && !(sumL2 > 0 && fround(sumLx * sumLx) > fround(best * sumL2))) continue;
    for (let i = 0; i < SIGNED_GROUP; i++) levels[base + i] = 32 + nearestWithin(inverse * x[at + i]!, -32, 31);
    scale = sumL2 === 0 ? 0 : fround(sumLx / sumL2);
    best = fround(scale * sumLx);
  }
  return scale;
}
