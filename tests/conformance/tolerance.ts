// How far a kernel in f32 may be from the float64 definition.

import { roundsActivations } from '../../src/core/block-workspace.ts';
import { BLOCKS, SCALAR_RULES, forEachElement, broadcastStrides, type DType, type Expression, type OpAttrs, type OpName, type TypedArrayND } from '../../src/core/index.ts';

/** One rounding of f32, relative. */
const F32 = 2 ** -24;

/** One rounding of bf16, relative; below the smallest normal number, absolute. */
const BF16 = 2 ** -8;

/** Roundings that any value may have gone through, beyond those that cancel: sums here have at most 300 terms. */
const SUM_ROUNDINGS = 48;

/** A function's own error in f32, in roundings: the kernels promise 2 to 4 units in the last place. */
const CALL_ROUNDINGS = 8;

/** Largest errors, element by element, of an output of `op` whose exact values are `y`. */
export function tolerances(op: OpName, attrs: unknown, x: readonly (TypedArrayND | null)[], y: TypedArrayND, index: number, dtype: DType): Float64Array {
  const own = op === 'map' ? mapErrors(attrs as OpAttrs['map'], x, y, index) : sumErrors(y, INNER[op]?.(x) ?? 1);
  // Rows added to a bf16 table are rounded at each addition.
  const additions = op === 'scatter' && dtype === 'bf16' ? 4 * BF16 * scaleOf(y, 1) : 0;
  const lost = op === 'linear' ? activationErrors(x) : op === 'groupedLinear' ? groupedErrors(x) : undefined;
  return own.map((sums, i) => {
    const error = sums + additions + (lost?.[i] ?? 0);
    if (dtype === 'u8') return 0; // bytes of blocks: bit for bit
    if (dtype === 'i32') return error < 0.5 ? 0 : error + 1; // truncation jumps at integers
    return dtype === 'bf16' ? error + BF16 * (Math.abs(y.data[i]!) + error) : error + F32 * Math.abs(y.data[i]!);
  });
}

/** The largest finite value, at least `least`. */
function scaleOf(x: TypedArrayND | null | undefined, least = 0): number {
  let scale = least;
  for (const value of x?.data ?? []) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
  return scale;
}

/** Values inside an operator that are larger than its results: rows of equal elements have 1/σ = 1/√eps. */
const INNER: Partial<Record<OpName, (x: readonly (TypedArrayND | null)[]) => number>> = {
  rmsNormBackward: ([, w, rstd, dy]) => scaleOf(rstd) * scaleOf(dy) * scaleOf(w),
  layerNormBackward: ([, w, , rstd, dy]) => scaleOf(rstd) * scaleOf(dy) * scaleOf(w),
};

/** Sums of products: relative to the largest value, for a small one is what larger terms left over. */
function sumErrors(y: TypedArrayND, inner: number): Float64Array {
  const error = SUM_ROUNDINGS * F32 * scaleOf(y, Math.max(1, inner));
  return y.data.map(() => error);
}

/**
 * What a product with a weight in a block format may lose by rounding activations to signed bytes: half a step of each,
 * Σ over blocks of max|x|/254 · Σ|w|; and roundings of sums whose parts are larger than they (q4_k's minima).
 */
function activationErrors([x, w]: readonly (TypedArrayND | null)[]): Float64Array | undefined {
  if (!roundsActivations(w!.dtype)) return undefined;
  const { values } = BLOCKS[w!.dtype], [n, k] = x!.shape as [number, number], m = w!.shape[0]!;
  const errors = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let b = 0; b < k; b += values) {
      let most = 0;
      for (let c = b; c < b + values; c++) most = Math.max(most, Math.abs(x!.data[i * k + c]!));
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let c = b; c < b + values; c++) sum += Math.abs(w!.data[j * k + c]!);
        errors[i * m + j]! += most * sum * ((1 + 1e-4) / 254 + 4 * F32 * SUM_ROUNDINGS);
      }
    }
  }
  return errors;
}

/** The same for each expert's rows. */
function groupedErrors([x, offsets, ...weights]: readonly (TypedArrayND | null)[]): Float64Array {
  const k = x!.shape.at(-1)!, rows = x!.data.length / Math.max(1, k), m = weights[0]!.shape[0]!, errors = new Float64Array(rows * m);
  weights.forEach((w, e) => {
    const all = activationErrors([{ ...x!, shape: [rows, k] }, w]);
    const begin = Math.max(0, offsets!.data[e]!), end = Math.min(rows, offsets!.data[e + 1]!);
    if (all !== undefined && begin < end) errors.set(all.subarray(begin * m, end * m), begin * m);
  });
  return errors;
}

/** Running error analysis of an expression at every element. */
function mapErrors({ expression }: OpAttrs['map'], x: readonly (TypedArrayND | null)[], y: TypedArrayND, index: number): Float64Array {
  const errors = new Float64Array(y.data.length);
  forEachElement(y.shape, x.map((array) => broadcastStrides(array!.shape, y.shape)), (flat, at) => {
    errors[flat] = runningError(expression, x.map((array, k) => array!.data[at[k]!]!))[index]!;
  });
  return errors;
}

/** What native/cpu/simd-math.h promises of functions that are exact near 1 and not in the digits of what is nearly 0, times max(1, |x|). */
const ABSOLUTE_ERRORS: Readonly<Record<string, number>> = { gelu: 2 ** -23, geluSlope: 2 ** -21 };

/** Bounds of the errors of an expression's outputs in f32: each call moves by what its arguments may be off, and rounds. */
function runningError(e: Expression, inputs: readonly number[]): number[] {
  const values = [...inputs], errors = inputs.map(() => 0);
  for (const { fn, args, value } of e.code) {
    const f = (signs: number): number => {
      const moved = args.map((arg, k) => (errors[arg] === 0 ? values[arg]! : values[arg]! + errors[arg]! * (signs & (1 << k) ? 1 : -1)));
      return fn === 'const' ? value! : SCALAR_RULES[fn].evaluate(moved[0] ?? 0, moved[1] ?? 0, moved[2] ?? 0);
    };
    const exact = fn === 'const' ? value! : SCALAR_RULES[fn].evaluate(...(args.map((arg) => values[arg]!) as [number, number, number]));
    let error = 0;
    for (let signs = 0; signs < 2 ** args.length; signs++) error = Math.max(error, gap(f(signs), exact));
    const isChoice = ['const', 'max', 'min', 'neg', 'abs', 'select', 'lt', 'le', 'eq', 'floor'].includes(fn);
    values.push(exact);
    const own = fn in ABSOLUTE_ERRORS ? ABSOLUTE_ERRORS[fn]! * Math.max(1, Math.abs(values[args[0]!]!) || 0) : 0;
    errors.push(isChoice ? error : error + own + (CALL_ROUNDINGS * F32 * Math.abs(exact) || 0) + 2 ** -126);
  }
  return e.outs.map((out) => errors[out]!);
}

function gap(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  return Number.isNaN(a) || Number.isNaN(b) ? Infinity : Math.abs(a - b);
}

/** The first element that is too far off, in words; undefined where none is. */
export function firstFault(found: ArrayLike<number>, exact: Float64Array, allowed: Float64Array): string | undefined {
  if (found.length !== exact.length) return `${found.length} elements instead of ${exact.length}`;
  for (let i = 0; i < exact.length; i++) {
    const off = gap(found[i]!, exact[i]!);
    if (off === 0 || off <= allowed[i]!) continue;
    if (Number.isFinite(exact[i]) && Math.abs(exact[i]!) > 3.4e38 && Math.abs(found[i]!) === Infinity) continue; // overflow of f32
    return `element ${i} is ${found[i]} instead of ${exact[i]} ± ${allowed[i]}`;
  }
  return undefined;
}
