// pagedAttention: each token looks at the positions 0 … positions[n] of its own sequence, whose keys and values lie in
// the rows of a cache that slotTable names (Kwon et al. 2023, arXiv 2309.06180; a block of one row here, so that the
// size of a block is the engine's affair). A token's result does not depend on what else is in the batch.
import { ATTENTION_ATTRS, attentionShape, checkStarts, meanOf } from '../attention-parts.ts';
import { pagedAttentionWorkspace } from '../attention-workspace.ts';
import { expression } from '../expression.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op, SampleInput } from '../op.ts';
import { ranked, typed } from '../check.ts';
import { DTYPE_BYTES } from '../dtype.ts';
import { bytesOf, maxOf, rowSize } from '../shape.ts';

// N tokens, H query heads, KV key heads, D head size, S sequences, L positions
export const pagedAttention: Op<OpAttrs['pagedAttention']> = {
  kind: 'named',
  attrs: ATTENTION_ATTRS,
  infer(_a, x) {
    const out = attentionShape('pagedAttention', x);
    ranked('pagedAttention', x, 3, 2);
    typed('pagedAttention', x, 'i32', 3);
    checkStarts('pagedAttention', x, 4);
    checkStarts('pagedAttention', x, 5);
    return [out];
  },
  decompose(b, a, [q, kCache, vCache, slotTable, seqs, positions]) {
    const [n, h, d] = q!.shape.map(maxOf) as [number, number, number];
    const kv = maxOf(kCache!.shape[1]!), dv = maxOf(vCache!.shape[2]!), g = h / kv, l = maxOf(slotTable!.shape[1]!);
    const slots = b.reshape(b.one('gather', {}, [slotTable!, seqs!]), [n * l]);
    const rows = (cache: typeof q, size: number) =>
      // [N·KV, L, size]
      b.reshape(b.one('permute', { perm: [0, 2, 1, 3] }, [b.reshape(b.one('gather', {}, [cache!, slots]), [n, l, kv, size])]), [n * kv, l, size]);
    const raw = b.one('matmul', { transA: false, transB: true }, [b.reshape(q!, [n * kv, g, d]), rows(kCache!, d), null]); // [N·KV, G, L]
    const key = b.reshape(b.one('iota', { length: l, dtype: 'f32' }, []), [1, 1, l]), last = b.reshape(positions!, [n, 1, 1]);
    const scores = b.map(expression(3, (e, s, j, i) => {
      const scaled = e.call('mul', s!, e.constant(a.scale)), cap = a.softcap;
      const capped = cap > 0 ? e.call('mul', e.constant(cap), e.call('tanh', e.call('mul', scaled, e.constant(1 / cap)))) : scaled;
      const shown = e.call('select', e.call('le', j!, i!), capped, e.constant(-Infinity));
      return a.window > 0 ? e.call('select', e.call('lt', e.call('sub', i!, e.constant(a.window)), j!), shown, e.constant(-Infinity)) : shown;
    }), [b.reshape(raw, [n, h, l]), key, last]);
    const top = b.one('reduce', { kind: 'max', axis: 2 }, [scores]);
    const exps = b.map(expression(2, (e, s, m) => e.call('exp', e.call('sub', s!, m!))), [scores, top]);
    const probs = b.call('div', exps, b.one('reduce', { kind: 'sum', axis: 2 }, [exps]));
    const out = b.one('matmul', { transA: false, transB: false }, [b.reshape(probs, [n * kv, g, l]), zeroWhereAbsent(b, rows(vCache!, dv)), null]);
    return [b.reshape(out, [n, h, dv])];
  },
  vjp: null,
  flops: (a, x, _y, known) => {
    const [n = 0, h = 0, d = 0] = x[0]!.shape.map(maxOf), l = maxOf(x[3]!.shape[1]!), most = a.window > 0 ? Math.min(a.window, l) : l, last = known?.[5];
    return 2 * n * h * (last ? meanOf(n, (i) => Math.min(most, last[i]! + 1)) : most) * (d + maxOf(x[2]!.shape[2]!));
  },
  bytes(a, x, [y], known) {
    const [n = 0] = x[0]!.shape.map(maxOf), [s = 0, l = 0] = x[3]!.shape.map(maxOf), seqs = known?.[4], last = known?.[5];
    const rows = seqs && last ? rowsSeen(n, a.window, seqs, last) : Math.min(n, s) * l; // of the caches
    return bytesOf(x[0]!) + bytesOf(y!) + rows * (4 + [x[1]!, x[2]!].reduce((sum, cache) => sum + rowSize(cache.shape) * DTYPE_BYTES[cache.dtype], 0)); // 4: its number
  },
  workspace: (_a, x, _y, t) => pagedAttentionWorkspace(x, t),
  castable: [0],
  samples: [
    { name: 'two sequences', attrs: { scale: 0.3, window: 0, softcap: 0 }, inputs: sample(6, 4, 2, 8, 2, 12) },
    { name: 'window and softcap', attrs: { scale: 0.3, window: 4, softcap: 3 }, inputs: sample(5, 2, 1, 9, 3, 20) },
    { name: 'long', attrs: { scale: 0.2, window: 0, softcap: 0 }, inputs: sample(3, 2, 2, 16, 1, 300) },
  ],
};

/** Positions that the tokens of each sequence look at together: a sequence's are read once, however many its tokens. */
function rowsSeen(n: number, window: number, seqs: ArrayLike<number>, last: ArrayLike<number>): number {
  const ranges = new Map<number, [first: number, end: number]>();
  for (let i = 0; i < n; i++) {
    const end = last[i]! + 1, first = window > 0 ? Math.max(0, end - window) : 0, known = ranges.get(seqs[i]!);
    ranges.set(seqs[i]!, known === undefined ? [first, end] : [Math.min(known[0], first), Math.max(known[1], end)]);
  }
  return [...ranges.values()].reduce((sum, [first, end]) => sum + end - first, 0);
}

/** A row that no slot holds was read as NaN or garbage; its probability is 0, and 0·NaN must not matter. */
function zeroWhereAbsent(b: Parameters<(typeof pagedAttention & { kind: 'named' })['decompose']>[0], x: Parameters<typeof b.reshape>[0]) {
  return b.map(expression(1, (e, v) => e.call('select', e.call('eq', v!, v!), v!, e.constant(0))), [x]);
}

/** Sequences of `l` positions whose slots are interleaved in the cache. */
function sample(n: number, h: number, kv: number, d: number, s: number, l: number): SampleInput[] {
  return [
    { shape: [n, h, d] },
    { shape: [s * l, kv, d] },
    { shape: [s * l, kv, d] },
    { shape: [s, l], dtype: 'i32', fill: (i) => (i % l) * s + Math.floor(i / l) },
    { shape: [n], dtype: 'i32', fill: (i) => i % s },
    { shape: [n], dtype: 'i32', fill: (i) => (l - 1 - 2 * i + 8 * l) % l },
  ];
}
