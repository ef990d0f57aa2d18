// Scratch that the native matrix kernels ask for. Layer: core. The same constants as native/cpu/gemm.h and
// native/cpu/linear-cross-entropy.h.

import type { DType } from './dtype.ts';
import type { Target } from './target.ts';

/** A thread's packed block of B and of A, its edges, and a row; then, for a bf16 result, f32 sums until it is rounded. */
const SCRATCH = 4 * ((256 + 1) * 256 + 8 * (256 * 12 + 16) + 256), SUMS = 4 * 512 * 256;

/** Bytes of scratch for one product whose result has a type. */
export function gemmWorkspace(out: DType, t: Target): number {
  return t.threads * (SCRATCH + (out === 'bf16' ? SUMS : 0));
}

/** Sizes of a fused output projection and cross-entropy. N tokens, V vocabulary */
export interface CrossEntropySize {
  readonly n: number;
  readonly v: number;
  /** Type of the gradient of the hidden states, where it is asked for. */
  readonly dh?: DType;
}

/** Logits of one chunk of rows: 8 MiB of them, but at least 256 rows; and statistics by block of 256 columns. */
export function crossEntropyWorkspace({ n, v, dh = 'f32' }: CrossEntropySize, t: Target): number {
  const most = Math.max(256, Math.floor(Math.floor(2 ** 21 / Math.max(1, v)) / 16) * 16);
  const chunk = Math.ceil(Math.min(n, most) / 16) * 16 + 16;
  return gemmWorkspace(dh, t) + 4 * chunk * (v + 2 * Math.ceil(v / 256) + 2);
}
