// Pieces of attention in primitives, shared by the decompositions of the forward and the backward operator, and the
// checks of their shapes. Layer: core.
// N tokens, H query heads, KV key heads, G = H/KV queries a key head, D head size, J keys

import { agree, ranked, refuse, shaped } from './check.ts';
import { expression } from './expression.ts';
import type { AttentionAttrs } from './op-attrs.ts';
import { attrs, type Builder } from './op.ts';
import { maxOf, type Dim, type Meta } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Order of the immediates of all attention operators; `span` is the plan's alone. */
export const ATTENTION_ATTRS = attrs<Omit<AttentionAttrs, 'span'>>({ scale: 'number', window: 'number', softcap: 'number' });

/** [N, H, D] → [KV, G·N, D]: the queries of a key head under each other. */
export function headsFirst(b: Builder, x: Tensor, nKvHeads: Dim): Tensor {
  const [n, h, d] = x.shape.map(maxOf) as [number, number, number], kv = maxOf(nKvHeads), g = h / kv;
  return b.reshape(b.one('permute', { perm: [1, 2, 0, 3] }, [b.reshape(x, [n, kv, g, d])]), [kv, g * n, d]);
}

/** [KV, G·N, D] → [N, H, D]. */
export function tokensFirst(b: Builder, x: Tensor, n: number, h: number): Tensor {
  const [kv, , d] = x.shape as [number, number, number], g = h / kv;
  return b.reshape(b.one('permute', { perm: [2, 0, 1, 3] }, [b.reshape(x, [kv, g, n, d])]), [n, h, d]);
}

/** [N, KV, D] → [KV, N, D]. */
export const keysFirst = (b: Builder, x: Tensor): Tensor => b.one('permute', { perm: [1, 0, 2] }, [x]);

/** What lies before the softmax: scaled, capped and masked scores, [KV, G·N, N], −∞ where a token does not look. */
export function maskedScores(b: Builder, a: AttentionAttrs, q: Tensor, k: Tensor, starts: Tensor): Tensor {
  const [n, kv] = k.shape as [number, number], rows = headsFirst(b, q, kv);
  const raw = b.one('matmul', { transA: false, transB: true }, [rows, keysFirst(b, k), null]);
  const column = b.reshape(b.one('iota', { length: n, dtype: 'f32' }, []), [n, 1]), row = b.reshape(column, [1, n]);
  const mask = expression(4, (e, s, i, j, start) => {
    const scaled = e.call('mul', s!, e.constant(a.scale));
    const capped = a.softcap > 0 ? e.call('mul', e.constant(a.softcap), e.call('tanh', e.call('mul', scaled, e.constant(1 / a.softcap)))) : scaled;
    const hidden = e.constant(-Infinity);
    let shown = e.call('select', e.call('le', j!, i!), capped, hidden);
    shown = e.call('select', e.call('le', start!, j!), shown, hidden);
    return a.window > 0 ? e.call('select', e.call('lt', e.call('sub', i!, e.constant(a.window)), j!), shown, hidden) : shown;
  });
  const grid = b.map(mask, [b.reshape(raw, [raw.shape[1]! as number * kv / n, n, n]), column, row, b.reshape(starts, [n, 1])]);
  return b.reshape(grid, raw.shape);
}

/**
 * Keys that a token looks at on average. Where `starts` are not known: in documents of `span` tokens half of them, or
 * the window.
 */
export function meanKeys(a: AttentionAttrs, n: number, starts?: ArrayLike<number> | null): number {
  if (starts) return meanOf(n, (i) => Math.min(i - starts[i]! + 1, a.window > 0 ? a.window : Infinity));
  const half = (Math.min(a.span ?? n, n) + 1) / 2;
  return a.window > 0 ? Math.min(a.window, half) : half;
}

/** Mean of a function of 0 … n − 1; 0 for none. */
export function meanOf(n: number, f: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += f(i);
  return n === 0 ? 0 : sum / n;
}

/** Checks q, k, v and says the output's shape, [N, H, Dv]. */
export function attentionShape(op: string, x: readonly (Meta | null)[]): Meta {
  const q = ranked(op, x, 0, 3), k = ranked(op, x, 1, 3), v = ranked(op, x, 2, 3);
  agree(op, x, 'the head sizes of q and k', q.shape[2]!, k.shape[2]!);
  agree(op, x, 'the heads of k and v', k.shape[1]!, v.shape[1]!);
  agree(op, x, 'the rows of k and v', k.shape[0]!, v.shape[0]!);
  if (maxOf(q.shape[1]!) % maxOf(k.shape[1]!) !== 0) {
    refuse(op, x, `${maxOf(q.shape[1]!)} query heads must be a multiple of ${maxOf(k.shape[1]!)} key heads`);
  }
  return { shape: [q.shape[0]!, q.shape[1]!, v.shape[2]!], dtype: q.dtype };
}

/** `starts`, checked: one i32 a token. */
export function checkStarts(op: string, x: readonly (Meta | null)[], i: number): void {
  shaped(op, x, i, [x[0]!.shape[0]!]);
  if (x[i]?.dtype !== 'i32') refuse(op, x, `operand ${i} must be i32`);
}
