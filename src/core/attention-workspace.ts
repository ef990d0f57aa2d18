// Scratch that the native attention kernels ask for. Layer: core. The same formulas as native/cpu/attention*.cc.

import { maxOf, type Meta } from './shape.ts';
import type { Target } from './target.ts';

/** Query rows and keys of a tile; keys of a tile of the backward pass; tokens whose dq one task owns. */
const QUERY_ROWS = 64, KEYS = 96, BACKWARD_KEYS = 48, TOKENS_PER_TASK = 256;
/** Floats of row statistics, and what keeps the parts of a thread's scratch on cache lines. */
const STATISTICS = 2 * 64 + 64;

const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Head sizes and what they are padded to. */
function headSizes(x: readonly (Meta | null)[], lanes: number) {
  const d = maxOf(x[0]!.shape[2]!), dv = maxOf(x[2]!.shape[2]!);
  return { d, dv, paddedD: roundUp(d, lanes), paddedDv: roundUp(dv, lanes) };
}

/** @param x metas of q [N, H, D], k [N, KV, D], v [N, KV, Dv] */
export function attentionWorkspace(x: readonly (Meta | null)[], t: Target): number {
  const { d, paddedD, paddedDv } = headSizes(x, t.lanes), width = 2 * t.lanes;
  const floats = QUERY_ROWS * d + KEYS * width + QUERY_ROWS * paddedDv + KEYS * (paddedD + paddedDv) + STATISTICS;
  return t.threads * roundUp(4 * floats, 64);
}

/** @param x as for attentionWorkspace @param y metas of dq, dk, dv */
export function attentionBackwardWorkspace(x: readonly (Meta | null)[], y: readonly Meta[], t: Target): number {
  const { d, dv, paddedD, paddedDv } = headSizes(x, t.lanes);
  const [n, kv] = x[1]!.shape.map(maxOf) as [number, number];
  const floats = QUERY_ROWS * (d + dv) + 2 * QUERY_ROWS * BACKWARD_KEYS + QUERY_ROWS * (2 * paddedD + paddedDv)
    + BACKWARD_KEYS * (paddedD + paddedDv) + STATISTICS;
  const bytes = t.threads * roundUp(4 * floats, 64) + roundUp(4 * (Math.ceil(n / TOKENS_PER_TASK) + 2), 64);
  const sums = y[1]!.dtype !== 'f32' || y[2]!.dtype !== 'f32' || d % t.lanes !== 0 || dv % t.lanes !== 0;
  return bytes + (sums ? 4 * n * kv * (paddedD + paddedDv) : 0);
}

/** Keys that one task looks at, and the most partial results that are kept for a sequence cut over threads. */
const KEYS_PER_CHUNK = 768, PARTS_PER_THREAD = 2 * 64;

/** @param x metas of q [N, H, D], kCache, vCache [slots, KV, Dv], slotTable [S, L] */
export function pagedAttentionWorkspace(x: readonly (Meta | null)[], t: Target): number {
  const { d, paddedD, paddedDv } = headSizes(x, t.lanes), width = 2 * t.lanes;
  const [n, h] = x[0]!.shape.map(maxOf) as [number, number];
  const floats = QUERY_ROWS * d + KEYS * width + 2 * QUERY_ROWS * paddedDv + KEYS * (paddedD + paddedDv) + STATISTICS + 2 * QUERY_ROWS;
  const bytes = t.threads * roundUp(4 * floats, 64) + roundUp(4 * (n + 1), 64);
  const chunks = Math.ceil(maxOf(x[3]!.shape[1]!) / KEYS_PER_CHUNK);
  const parts = t.threads > 1 && chunks > 1 ? Math.min(n * h, PARTS_PER_THREAD * t.threads) * chunks : 0;
  return bytes + 4 * parts * (paddedDv + t.lanes);
}
