// Scratch for products with weights in a block format: activations as bytes with what belongs to a block. Layer: core.
// The same numbers as native/cpu/linear-blocks.h (tokenBytes).

import { BLOCKS, type BlockFormat, type DType } from './dtype.ts';

/** Formats whose activations are rounded to bytes. */
export type RoundingFormat = Exclude<BlockFormat, 'bf16x2'>;

/** Bytes of a block's activations: the values (q8_0: as words), their sums or offsets, and a scale. */
const ACTIVATION_BYTES: Readonly<Record<RoundingFormat, number>> = { q8_0: 68, q4_0: 40, q4_k: 276, q5_k: 276, q6_k: 324 };

/** Whether products with a weight of this type round their activations. */
export function roundsActivations(dtype: DType): dtype is RoundingFormat {
  return Object.hasOwn(ACTIVATION_BYTES, dtype);
}

/** @param n most tokens @param k values of each */
export function blockWorkspace(format: RoundingFormat, n: number, k: number): number {
  return n * Math.ceil((k / BLOCKS[format].values) * ACTIVATION_BYTES[format] / 64) * 64;
}
