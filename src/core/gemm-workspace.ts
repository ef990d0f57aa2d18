// Scratch that the native GEMM kernels ask for. Layer: core. One formula here and in native/cpu/gemm.h.
import type { DType } from './dtype.ts';
import type { Target } from './target.ts';
export interface GemmSize { readonly m: number; readonly n: number; readonly k: number; readonly transA: boolean; readonly dtypes: readonly [DType, DType] }
export function gemmWorkspace(size: GemmSize, t: Target): number { return 4 * (size.n + 64) * size.k + t.threads * 4 * 256 * 512; }
export interface CrossEntropySize { readonly n: number; readonly c: number; readonly v: number; readonly gradient: boolean; readonly dtypes: readonly [DType, DType] }
export function crossEntropyWorkspace(size: CrossEntropySize, t: Target): number { return 4 * size.n * size.v + 8 * (size.v + 64) * size.c + t.threads * 4 * 256 * 512; }
