// Element types of tensors. Layer: core. The order is the numeric code of the program format and of native/runtime.

export const DTYPES = ['f32', 'bf16', 'f16', 'i32', 'u8', 'q8_0', 'q4_0', 'q4_k', 'q6_k', 'bf16x2', 'q5_k'] as const;

/**
 * Element type of a tensor. `bf16`, `f16` and the block formats are storage types: arithmetic on them is done in f32, or
 * in integers where a kernel can.
 */
export type DType = (typeof DTYPES)[number];

/** Types whose values lie in blocks along the last axis, the values of a block sharing scales. Weights only. */
export type BlockFormat = 'q8_0' | 'q4_0' | 'q4_k' | 'q5_k' | 'q6_k' | 'bf16x2';

/**
 * Values and bytes of a block: ggml's formats of the same names, and bf16x2, which is bf16 as it always is, but a weight
 * that an executor may keep in the order of its kernels, so that it is packed once.
 */
export const BLOCKS: Readonly<Record<BlockFormat, { readonly values: number; readonly bytes: number }>> = {
  q8_0: { values: 32, bytes: 34 },
  q4_0: { values: 32, bytes: 18 },
  q4_k: { values: 256, bytes: 144 },
  q5_k: { values: 256, bytes: 176 },
  q6_k: { values: 256, bytes: 210 },
  bf16x2: { values: 2, bytes: 4 },
};

/** Bytes of one element; of block formats in the mean, an exact binary fraction, as their rows are whole blocks. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  f32: 4,
  bf16: 2,
  f16: 2,
  i32: 4,
  u8: 1,
  q8_0: 34 / 32,
  q4_0: 18 / 32,
  q4_k: 144 / 256,
  q5_k: 176 / 256,
  q6_k: 210 / 256,
  bf16x2: 2,
};

/** Whether gradients flow through values of this type. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'bf16' || dtype === 'f16';
}

export function isBlockFormat(dtype: DType): dtype is BlockFormat {
  return Object.hasOwn(BLOCKS, dtype);
}
