// Scratch that the native matrix kernels ask for. Layer: core. The same formulas and constants as native/cpu/gemm.h.

import type { DType } from './dtype.ts';
import type { Target } from './target.ts';

/** Rows and columns of the block of B that a thread packs, and rows summed in f32 before a bf16 result is rounded. */
const KC = 384, NC = 128, SUM_ROWS = 512;

/** Rows of the register tile. */
const registerRows = ({ isa, lanes }: Target): number => (lanes === 16 || isa === 'neon' ? 12 : 6);

/** Bytes of scratch for one product whose result has a type. */
export function gemmWorkspace(out: DType, t: Target): number {
  return 4 * t.threads * (KC * NC + KC * registerRows(t) + NC + (out === 'bf16' ? SUM_ROWS * NC : 0));
}

/** Sizes of a fused output projection and cross-entropy. N tokens, C channels, V vocabulary */
export interface CrossEntropySize {
  readonly n: number;
  readonly c: number;
  readonly v: number;
  readonly gradient: boolean;
  readonly dtypes: readonly [h: DType, w: DType];
}
export function crossEntropyWorkspace(size: CrossEntropySize, t: Target): number { return 4 * size.n * size.v + 8 * (size.v + 64) * size.c + gemmWorkspace('f32', t); }
