// What a program is compiled for. Layer: core.

/** Instruction sets of the native core, and the plain TypeScript interpreter. */
export type Isa = 'reference' | 'portable' | 'avx2' | 'avx512' | 'avx512bf16' | 'neon';

/** An executor's machine, as far as a plan depends on it. */
export interface Target {
  readonly backend: 'native' | 'reference';
  readonly isa: Isa;
  /** f32 lanes of a SIMD register. */
  readonly lanes: number;
  readonly threads: number;
  readonly l1Bytes: number;
  readonly l2Bytes: number;
  readonly l3Bytes: number;
}

/** The target of the reference interpreter. */
export const REFERENCE_TARGET: Target = {
  backend: 'reference',
  isa: 'reference',
  lanes: 1,
  threads: 1,
  l1Bytes: 32768,
  l2Bytes: 524288,
  l3Bytes: 8388608,
};
