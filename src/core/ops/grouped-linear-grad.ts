// groupedLinearGrad: the gradients of the weights of groupedLinear, aᵀ·b over each expert's own rows; zero for an expert
// that has none. f32 whatever the operands' type: they are summed over micro-batches.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { agree, ranked, refuse, typed } from '../check.ts';
import { gemmWorkspace } from '../gemm-workspace.ts';
import { rowMask, rowsOf } from '../grouped-rows.ts';
import { maxOf, type Meta } from '../shape.ts';

// N·k rows sorted by expert, E experts, M outputs, K inputs
export const groupedLinearGrad: Op<OpAttrs['groupedLinearGrad']> = {
  kind: 'named',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const a = ranked('groupedLinearGrad', x, 0, 2, 3), b = ranked('groupedLinearGrad', x, 1, a.shape.length); // [N, k, M], [N, k, K]
    const offsets = ranked('groupedLinearGrad', x, 2, 1), [ends] = offsets.shape;
    a.shape.slice(0, -1).forEach((dim, axis) => agree('groupedLinearGrad', x, `axis ${axis} of both`, dim, b.shape[axis]!));
    typed('groupedLinearGrad', x, 'i32', 2);
    if (typeof ends !== 'number' || ends < 1) refuse('groupedLinearGrad', x, 'the number of experts must be known');
    return Array.from({ length: ends - 1 }, (): Meta => ({ shape: [a.shape.at(-1)!, b.shape.at(-1)!], dtype: 'f32' }));
  },
  decompose(b, _a, [left, right, offsets]) {
    const n = rowsOf(left!), inRows = rowMask(b, n, offsets!);
    const flat = (t: typeof left) => b.reshape(t!, [n, maxOf(t!.shape.at(-1)!)]);
    // Both: 0 times a NaN of another expert's row must not matter.
    return Array.from({ length: maxOf(offsets!.shape[0]!) - 1 }, (_, e) => {
      const [own, others] = [left, right].map((t) => inRows(e, flat(t), b.fill(0, flat(t).shape)));
      return b.one('matmul', { transA: true, transB: false }, [own!, others!, null], 'f32');
    });
  },
  vjp: null,
  flops: (_a, [a, b]) => 2 * rowsOf(a!) * maxOf(a!.shape.at(-1)!) * maxOf(b!.shape.at(-1)!),
  workspace: (_a, _x, _y, t) => gemmWorkspace('f32', t),
  samples: [
    { name: 'an expert without rows', attrs: {}, inputs: [{ shape: [7, 2, 10] }, { shape: [7, 2, 12] }, { shape: [5], dtype: 'i32', fill: (i) => [0, 5, 5, 9, 14][i]! }] },
    { name: 'flat', attrs: {}, inputs: [{ shape: [31, 17] }, { shape: [31, 5] }, { shape: [4], dtype: 'i32', fill: (i) => [0, 1, 30, 31][i]! }] },
    { name: 'no tokens', attrs: {}, inputs: [{ shape: [0, 2, 3] }, { shape: [0, 2, 4] }, { shape: [3], dtype: 'i32', fill: () => 0 }] },
  ],
};
