// groupedLinear: rows that are sorted by expert, each times the transposed weight of its expert: y = x·w[e]ᵀ for the rows
// offsets[e] … offsets[e + 1] − 1. Offsets are data, so an expert has as many rows as chose it, also none (Gale et al.
// 2023, arXiv 2211.15841). Each expert's weight is an operand of its own, as in the checkpoint, and may be in a block
// format. A row that no expert has is NaN.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Builder, type Op, type Operands, type SampleInput } from '../op.ts';
import { agree, ranked, refuse, shaped, typed } from '../check.ts';
import { blockWorkspace, roundsActivations } from '../block-workspace.ts';
import { gemmWorkspace } from '../gemm-workspace.ts';
import { rowMask, rowsOf } from '../grouped-rows.ts';
import { isBlockFormat, type DType } from '../dtype.ts';
import { bytesOf, maxOf, type Dim } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** x and offsets stand before the experts' weights. */
const FIRST_WEIGHT = 2;
const WEIGHTS: Operands = { includes: (i) => i >= FIRST_WEIGHT };

// N tokens, k experts of each, N·k rows, E experts, K inputs, M outputs
export const groupedLinear: Op<OpAttrs['groupedLinear']> = {
  kind: 'named',
  attrs: attrs<OpAttrs['groupedLinear']>({ transposed: 'boolean' }),
  infer(a, x) {
    const input = ranked('groupedLinear', x, 0, 2, 3), weight = ranked('groupedLinear', x, FIRST_WEIGHT, 2); // [N, k, K], [M, K]
    const [m, k] = (a.transposed ? [...weight.shape].reverse() : weight.shape) as [Dim, Dim];
    agree('groupedLinear', x, "the rows' and the weights' lengths", input.shape.at(-1)!, k);
    shaped('groupedLinear', x, 1, [x.length - FIRST_WEIGHT + 1]);
    typed('groupedLinear', x, 'i32', 1);
    for (let i = FIRST_WEIGHT; i < x.length; i++) {
      shaped('groupedLinear', x, i, weight.shape);
      if (a.transposed && isBlockFormat(x[i]!.dtype)) refuse('groupedLinear', x, `operand ${i} is in a block format, whose rows cannot be summed over: dequantise it first`);
    }
    return [{ shape: [...input.shape.slice(0, -1), m], dtype: input.dtype }];
  },
  decompose(b, a, [x, offsets, ...weights]) {
    const n = rowsOf(x!), k = maxOf(x!.shape.at(-1)!), flat = b.reshape(x!, [n, k]), inRows = rowMask(b, n, offsets!);
    const m = maxOf(weights[0]!.shape[a.transposed ? 1 : 0]!);
    const all = weights.reduce<Tensor>((sum, w, e) => {
      const product = b.one('matmul', { transA: false, transB: !a.transposed }, [flat, plain(b, w!), null], 'f32'); // of all rows
      return inRows(e, product, sum);
    }, b.fill(NaN, [n, m]));
    return [b.reshape(all, [...x!.shape.slice(0, -1), m])];
  },
  vjp(b, a, [x, offsets, ...weights], _y, [dy], wanted) {
    const like = (t: typeof x): DType | undefined => (t!.dtype === 'f32' ? 'f32' : undefined);
    const dx = wanted[0] ? b.one('groupedLinear', { transposed: !a.transposed }, [dy!, offsets!, ...weights.map((w) => plain(b, w!))], like(x)) : null;
    const needs = wanted.slice(FIRST_WEIGHT);
    const dw = needs.includes(true) ? b.apply('groupedLinearGrad', {}, a.transposed ? [x!, dy!, offsets!] : [dy!, x!, offsets!]) : [];
    return [dx, null, ...needs.map((need, e) => (need ? dw[e]! : null))];
  },
  flops: (_a, [x], [y]) => 2 * rowsOf(x!) * maxOf(x!.shape.at(-1)!) * maxOf(y!.shape.at(-1)!),
  // Of the experts' weights at most as many as there are rows.
  bytes: (_a, [x, offsets, ...weights], [y]) => bytesOf(x!) + bytesOf(offsets!) + bytesOf(y!) + Math.min(rowsOf(x!), weights.length) * Math.max(...weights.map((w) => bytesOf(w!))),
  workspace(_a, [x, , ...weights], [y], t) {
    const rounding = new Set(weights.map((w) => w!.dtype).filter(roundsActivations));
    return Math.max(gemmWorkspace(y!.dtype, t), ...[...rounding].map((format) => blockWorkspace(format, rowsOf(x!), maxOf(x!.shape.at(-1)!))));
  },
  compute: { inputs: { includes: (i) => i === 0 || WEIGHTS.includes(i) }, outputs: [0] },
  castable: [0],
  blocks: WEIGHTS,
  samples: [
    { name: 'an expert without rows', attrs: { transposed: false }, inputs: sample([7, 2], [0, 5, 5, 9, 14], 12, 10) },
    { name: 'transposed', attrs: { transposed: true }, inputs: [{ shape: [5, 3, 9] }, ...sample([5, 3], [0, 1, 15], 17, 9).slice(1)] },
    { name: 'one token', attrs: { transposed: false }, inputs: sample([1, 2], [0, 0, 1, 1, 2, 2], 33, 19) },
    { name: 'no tokens', attrs: { transposed: false }, inputs: sample([0, 2], [0, 0, 0], 8, 4) },
    { name: 'many rows', attrs: { transposed: false }, inputs: sample([70], [0, 3, 60, 70], 20, 37) },
    ...(['q8_0', 'q4_0', 'q4_k', 'q5_k', 'q6_k', 'bf16x2'] as const).map((dtype) => ({ name: dtype, attrs: { transposed: false }, inputs: sample([4, 2], [0, 1, 6, 6, 8], 256, 19, dtype) })),
  ],
};

/** A weight that matmul can take. */
function plain(b: Builder, w: Tensor): Tensor {
  return isBlockFormat(w.dtype) ? b.one('dequantise', {}, [w]) : w;
}

/** Rows of lengths `axes`, an expert for each gap between offsets. */
function sample(axes: readonly number[], offsets: readonly number[], k: number, m: number, dtype: DType = 'f32'): SampleInput[] {
  const weights = offsets.slice(1).map((): SampleInput => ({ shape: [m, k], dtype }));
  return [{ shape: [...axes, k] }, { shape: [offsets.length], dtype: 'i32', fill: (i) => offsets[i]! }, ...weights];
}
