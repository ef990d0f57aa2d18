// linearCrossEntropy: the log-probability of each target under softmax(h·wᵀ), without ever holding the logits of more
// than a chunk of rows. A negative target counts for nothing. The second output is the log-sum-exp of the logits.
// `softcap` as in Gemma 2 (arXiv 2408.00118, section 2): logits are cap · tanh(h·wᵀ / cap).
import type { CrossEntropyAttrs, OpAttrs } from '../op-attrs.ts';
import { attrs, type Builder, type Op } from '../op.ts';
import { agree, ranked, refuse, shaped } from '../check.ts';
import { expression } from '../expression.ts';
import { crossEntropyWorkspace } from '../gemm-workspace.ts';
import { maxOf, sizeOf, type Meta } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

/** Immediates of both operators. */
export const CROSS_ENTROPY_ATTRS = attrs<CrossEntropyAttrs>({ softcap: 'number' });

/** Checks h [N, C], w [V, C], targets [N]; says the type of a number by token. */
export function crossEntropyRow(op: string, x: readonly (Meta | null)[]): Meta {
  const h = ranked(op, x, 0, 2), w = ranked(op, x, 1, 2);
  agree(op, x, 'the channels of h and w', h.shape[1]!, w.shape[1]!);
  shaped(op, x, 2, [h.shape[0]!]);
  if (x[2]?.dtype !== 'i32') refuse(op, x, 'the targets must be i32');
  return { shape: [h.shape[0]!], dtype: 'f32' };
}

/** The logits, capped where asked for, [N, V]. */
export function cappedLogits(b: Builder, { softcap }: CrossEntropyAttrs, h: Tensor, w: Tensor): Tensor {
  const logits = b.one('matmul', { transA: false, transB: true }, [h, w, null], 'f32');
  return softcap > 0 ? b.map(expression(1, (e, z) => e.call('mul', e.constant(softcap), e.call('tanh', e.call('mul', z!, e.constant(1 / softcap))))), [logits]) : logits;
}

// N tokens, C channels, V vocabulary
export const linearCrossEntropy: Op<OpAttrs['linearCrossEntropy']> = {
  kind: 'named',
  attrs: CROSS_ENTROPY_ATTRS,
  infer(_a, x) {
    const row = crossEntropyRow('linearCrossEntropy', x);
    return [row, row];
  },
  decompose(b, a, [h, w, targets]) {
    const n = h!.shape[0]!, v = maxOf(w!.shape[0]!);
    const logits = cappedLogits(b, a, h!, w!); // [N, V]
    const top = b.one('reduce', { kind: 'max', axis: 1 }, [logits]);
    const sums = b.one('reduce', { kind: 'sum', axis: 1 }, [b.map(expression(2, (e, z, m) => e.call('exp', e.call('sub', z!, m!))), [logits, top])]);
    const lse = b.call('add', b.call('log', sums), top); // [N, 1]
    const column = b.reshape(targets!, [n, 1]), ids = b.one('iota', { length: v, dtype: 'f32' }, []);
    const picked = b.map(expression(3, (e, z, id, t) => e.call('select', e.call('eq', id!, t!), z!, e.constant(0))), [logits, ids, column]);
    const logit = b.one('reduce', { kind: 'sum', axis: 1 }, [picked]);
    const logprob = b.map(expression(3, (e, z, l, t) => e.call('select', e.call('lt', t!, e.constant(0)), e.constant(0), e.call('sub', z!, l!))), [logit, lse, column]);
    return [b.reshape(logprob, [n]), b.reshape(lse, [n])];
  },
  vjp(b, a, [h, w, targets], _y, [dlogprob]) {
    const [, , dh, dw] = b.apply('linearCrossEntropyGrad', a, [h!, w!, targets!, dlogprob!, null]);
    return [dh!, dw!, null];
  },
  flops: (_a, [h, w]) => 2 * sizeOf(h!.shape) * maxOf(w!.shape[0]!),
  workspace: (_a, [h, w], _y, t) => crossEntropyWorkspace({ n: maxOf(h!.shape[0]!), v: maxOf(w!.shape[0]!) }, t),
  compute: { inputs: [0, 1], outputs: [] },
  residuals: [1],
  samples: [
    { name: '9x12x50', attrs: { softcap: 0 }, inputs: [{ shape: [9, 12] }, { shape: [50, 12] }, { shape: [9], dtype: 'i32', fill: (i) => (i * 11) % 50 - (i === 4 ? 100 : 0) }] },
    { name: 'many rows', attrs: { softcap: 0 }, inputs: [{ shape: [200, 16] }, { shape: [33, 16] }, { shape: [200], dtype: 'i32', fill: (i) => (i * 7) % 33 }] },
    { name: 'capped', attrs: { softcap: 2 }, inputs: [{ shape: [21, 12] }, { shape: [300, 12] }, { shape: [21], dtype: 'i32', fill: (i) => (i * 29) % 300 - (i === 5 ? 300 : 0) }] },
  ],
};
