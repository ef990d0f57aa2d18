// matmul: op(a)·op(b), batched over a leading axis where there is one, plus an addend where it is given.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { agree, ranked, refuse, shaped } from '../check.ts';
import { gemmWorkspace } from '../gemm-workspace.ts';
import { sizeOf, type Meta } from '../shape.ts';

/** M, N, K and the batch of a product. */
function sizes(a: OpAttrs['matmul'], x: readonly (Meta | null)[]) {
  const left = x[0]!.shape, right = x[1]!.shape, r = left.length;
  const m = left[r - (a.transA ? 1 : 2)]!, k = left[r - (a.transA ? 2 : 1)]!;
  return { m, k, n: right[r - (a.transB ? 2 : 1)]!, k2: right[r - (a.transB ? 1 : 2)]!, batch: r === 3 ? [left[0]!] : [] };
}

export const matmul: Op<OpAttrs['matmul']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['matmul']>({ transA: 'boolean', transB: 'boolean' }),
  infer(a, x) {
    const left = ranked('matmul', x, 0, 2, 3), right = ranked('matmul', x, 1, left.shape.length);
    const { m, n, k, k2, batch } = sizes(a, x);
    agree('matmul', x, 'the inner axes', k, k2);
    if (batch.length > 0) agree('matmul', x, 'the batches', batch[0]!, right.shape[0]!);
    const shape = [...batch, m, n];
    shaped('matmul', x, 2, shape, 'optional');
    if (x.length > 3) refuse('matmul', x, 'it takes two operands and an addend');
    return [{ shape, dtype: left.dtype }];
  },
  vjp(b, a, [x, w, c], _y, [dy], wanted) {
    const product = (left: typeof x, right: typeof x, transA: boolean, transB: boolean, like: typeof x) => b.one('matmul', { transA, transB }, [left!, right!, null], like!.dtype === 'f32' ? 'f32' : undefined);
    const dx = wanted[0] ? (a.transA ? product(w, dy, a.transB, true, x) : product(dy, w, false, !a.transB, x)) : null;
    const dw = wanted[1] ? (a.transB ? product(dy, x, true, a.transA, w) : product(x, dy, !a.transA, false, w)) : null;
    return [dx, dw, c === undefined ? null : dy!];
  },
  flops: (a, x) => {
    const { m, n, k, batch } = sizes(a, x);
    return 2 * sizeOf([...batch, m, n, k]);
  },
  workspace: (_a, _x, [y], t) => gemmWorkspace(y!.dtype, t),
  reuse: [[2, 0]],
  addend: { input: 2, to: 0 },
  compute: { inputs: [0, 1], outputs: [0] },
  castable: [0],
  reference(a, x, [y]) {
    const [left, right, c] = x;
    const { m, n, k, batch } = sizes(a, x.map((array) => array && { shape: array.shape, dtype: 'f32' as const })) as { m: number; n: number; k: number; batch: number[] };
    const out = ndarray(y!.shape as number[], c?.data);
    for (let p = 0; p < (batch[0] ?? 1); p++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = out.data[(p * m + i) * n + j]!;
          for (let q = 0; q < k; q++) {
            sum += left!.data[p * m * k + (a.transA ? q * m + i : i * k + q)]! * right!.data[p * n * k + (a.transB ? j * k + q : q * n + j)]!;
          }
          out.data[(p * m + i) * n + j] = sum;
        }
      }
    }
    return [out];
  },
  samples: [
    ...[false, true].flatMap((transA) =>
      [false, true].map((transB) => ({
        name: `${transA ? 't' : 'n'}${transB ? 't' : 'n'}`,
        attrs: { transA, transB },
        inputs: [{ shape: transA ? [31, 37] : [37, 31] }, { shape: transB ? [19, 31] : [31, 19] }, null],
      }))
    ),
    { name: 'addend', attrs: { transA: true, transB: false }, inputs: [{ shape: [40, 17] }, { shape: [40, 33] }, { shape: [17, 33] }] },
    { name: 'batched', attrs: { transA: false, transB: true }, inputs: [{ shape: [3, 10, 7] }, { shape: [3, 11, 7] }, null] },
  ],
};
