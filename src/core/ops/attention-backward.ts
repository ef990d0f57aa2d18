// attentionBackward: with P = exp(S − lse) and Δ = rowsum(dout·out): dv = Pᵀ·dout, dS = P·(dout·vᵀ − Δ),
// dq = dS·k·scale, dk = dSᵀ·q·scale (Dao 2023, arXiv 2307.08691, algorithm 2). P is computed again from lse.
import { ATTENTION_ATTRS, attentionShape, checkStarts, headsFirst, keysFirst, maskedScores, meanKeys, tokensFirst } from '../attention-parts.ts';
import { attentionBackwardWorkspace } from '../attention-workspace.ts';
import { expression } from '../expression.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op, SampleInput } from '../op.ts';
import { shaped, typed } from '../check.ts';
import { maxOf } from '../shape.ts';

// N tokens, H query heads, KV key heads, D head size
export const attentionBackward: Op<OpAttrs['attentionBackward']> = {
  kind: 'named',
  attrs: ATTENTION_ATTRS,
  infer(_a, x) {
    const out = attentionShape('attentionBackward', x);
    checkStarts('attentionBackward', x, 3);
    shaped('attentionBackward', x, 4, out.shape);
    shaped('attentionBackward', x, 5, out.shape.slice(0, 2));
    shaped('attentionBackward', x, 6, out.shape);
    typed('attentionBackward', x, 'f32', 5);
    return [x[0]!, x[1]!, x[2]!].map(({ shape, dtype }) => ({ shape, dtype }));
  },
  decompose(b, a, [q, k, v, starts, out, lse, dout]) {
    const [n, h] = q!.shape.map(maxOf) as [number, number], kv = k!.shape[1]!;
    const scores = maskedScores(b, a, q!, k!, starts!); // [KV, G·N, N]
    const rows = (t: typeof q) => headsFirst(b, b.reshape(t!, [n, h, 1]), kv); // [N, H] → [KV, G·N, 1]
    const delta = b.one('reduce', { kind: 'sum', axis: 2 }, [b.call('mul', headsFirst(b, dout!, kv), headsFirst(b, out!, kv))]);
    const probs = b.map(expression(2, (e, s, l) => e.call('exp', e.call('sub', s!, l!))), [scores, rows(lse!)]);
    const dProbs = b.one('matmul', { transA: false, transB: true }, [headsFirst(b, dout!, kv), keysFirst(b, v!), null]);
    const dScores = b.map(expression(4, (e, p, dp, d, s) => {
      const ds = e.call('mul', e.call('mul', p!, e.call('sub', dp!, d!)), e.constant(a.scale));
      if (a.softcap === 0) return ds; // else times 1 − (s/cap)², where the hidden ones, p = 0, must not make ∞·0
      const slope = e.call('sub', e.constant(1), e.call('square', e.call('mul', s!, e.constant(1 / a.softcap))));
      return e.call('select', p!, e.call('mul', ds, slope), e.constant(0));
    }), [probs, dProbs, delta, scores]);
    const perKey = (left: typeof dScores, right: typeof dScores) =>
      // [KV, N, D] → [N, KV, D]
      keysFirst(b, b.one('matmul', { transA: true, transB: false }, [left, right, null]));
    const dq = b.one('matmul', { transA: false, transB: false }, [dScores, keysFirst(b, k!), null]);
    return [tokensFirst(b, dq, n, h), perKey(dScores, headsFirst(b, q!, kv)), perKey(probs, headsFirst(b, dout!, kv))];
  },
  vjp: null,
  flops: (a, x, _y, known) => {
    const [n = 0, h = 0, d = 0] = x[0]!.shape.map(maxOf);
    return 2 * n * meanKeys(a, n, known?.[3]) * h * (3 * d + 2 * maxOf(x[2]!.shape[2]!));
  },
  workspace: (_a, x, y, t) => attentionBackwardWorkspace(x, y, t),
  compute: { inputs: [0, 1, 2, 4, 6], outputs: [] },
  castable: [0, 1, 2],
  samples: [
    { name: 'one document', attrs: { scale: 0.25, window: 0, softcap: 0 }, inputs: sample(20, 2, 2, 16, 20) },
    { name: 'grouped, packed', attrs: { scale: 0.3, window: 0, softcap: 0 }, inputs: sample(37, 6, 2, 9, 11) },
    { name: 'window', attrs: { scale: 0.3, window: 5, softcap: 0 }, inputs: sample(33, 2, 1, 8, 20) },
    { name: 'softcap', attrs: { scale: 0.3, window: 0, softcap: 2 }, inputs: sample(18, 2, 1, 8, 18) },
    { name: 'several tiles', attrs: { scale: 0.125, window: 0, softcap: 0 }, inputs: sample(150, 2, 1, 32, 150) },
  ],
};

/** Random outputs and log-sum-exps do: the rule is linear algebra in them (4 is above any row's real value here). */
function sample(n: number, h: number, kv: number, d: number, length: number): SampleInput[] {
  const start = (i: number): number => i - (i % length);
  return [
    { shape: [n, h, d] },
    { shape: [n, kv, d] },
    { shape: [n, kv, d] },
    { shape: [n], dtype: 'i32', fill: start },
    { shape: [n, h, d] },
    { shape: [n, h], fill: (_i, random) => 4 + random() },
    { shape: [n, h, d] },
  ];
}
