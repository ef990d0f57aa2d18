// attention: softmax(q·kᵀ·scale)·v over packed tokens, causal. Token i looks at the tokens starts[i] … i, so documents in
// one row do not see each other; `window` and `softcap` as in Mistral and Gemma 2. Kernels work in tiles with a running
// softmax (Dao et al. 2022, arXiv 2205.14135; Dao 2023, arXiv 2307.08691) and never hold the N×N matrix.
// The second output, the log-sum-exp of a row's scores, is what the gradient needs.
import { ATTENTION_ATTRS, attentionShape, checkStarts, keysFirst, maskedScores, meanKeys, tokensFirst } from '../attention-parts.ts';
import { attentionWorkspace } from '../attention-workspace.ts';
import { expression } from '../expression.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op, SampleInput } from '../op.ts';
import { maxOf } from '../shape.ts';

// N tokens, H query heads, KV key heads, D head size
export const attention: Op<OpAttrs['attention']> = {
  kind: 'named',
  attrs: ATTENTION_ATTRS,
  infer(_a, x) {
    const out = attentionShape('attention', x);
    checkStarts('attention', x, 3);
    return [out, { shape: [out.shape[0]!, out.shape[1]!], dtype: 'f32' }];
  },
  decompose(b, a, [q, k, v, starts]) {
    const [n, h] = q!.shape.map(maxOf) as [number, number];
    const scores = maskedScores(b, a, q!, k!, starts!); // [KV, G·N, N]
    const top = b.one('reduce', { kind: 'max', axis: 2 }, [scores]);
    const sums = b.one('reduce', { kind: 'sum', axis: 2 }, [b.map(expression(2, (e, s, m) => e.call('exp', e.call('sub', s!, m!))), [scores, top])]);
    const lse = b.call('add', b.call('log', sums), top); // [KV, G·N, 1]
    const probs = b.map(expression(2, (e, s, l) => e.call('exp', e.call('sub', s!, l!))), [scores, lse]);
    const out = b.one('matmul', { transA: false, transB: false }, [probs, keysFirst(b, v!), null]);
    return [tokensFirst(b, out, n, h), b.one('permute', { perm: [1, 0] }, [b.reshape(lse, [h, n])])];
  },
  vjp: (b, a, [q, k, v, starts], [out, lse], [dout]) => [
    ...b.apply('attentionBackward', a, [q!, k!, v!, starts!, out!, lse!, dout!]),
    null,
  ],
  flops: (a, x, _y, known) => {
    const [n = 0, h = 0, d = 0] = x[0]!.shape.map(maxOf);
    return 2 * n * meanKeys(a, n, known?.[3]) * h * (d + maxOf(x[2]!.shape[2]!)); // two products over the keys
  },
  workspace: (_a, x, _y, t) => attentionWorkspace(x, t),
  compute: { inputs: [0, 1, 2], outputs: [0] },
  castable: [0],
  residuals: [1],
  samples: [
    { name: 'one document', attrs: { scale: 0.25, window: 0, softcap: 0 }, inputs: attentionSample(20, 2, 2, 16, 20) },
    { name: 'grouped, packed', attrs: { scale: 0.3, window: 0, softcap: 0 }, inputs: attentionSample(37, 6, 2, 9, 11) },
    { name: 'window', attrs: { scale: 0.3, window: 5, softcap: 0 }, inputs: attentionSample(33, 2, 1, 8, 20) },
    { name: 'softcap', attrs: { scale: 0.3, window: 0, softcap: 2 }, inputs: attentionSample(18, 2, 1, 8, 18) },
    { name: 'several tiles', attrs: { scale: 0.125, window: 0, softcap: 0 }, inputs: attentionSample(150, 2, 1, 32, 150) },
  ],
};

/** Inputs of an example: documents of `length` tokens. */
export function attentionSample(n: number, h: number, kv: number, d: number, length: number): SampleInput[] {
  const start = (i: number): number => i - (i % length);
  return [{ shape: [n, h, d] }, { shape: [n, kv, d] }, { shape: [n, kv, d] }, { shape: [n], dtype: 'i32', fill: start }];
}
