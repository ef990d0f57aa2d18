// Element types of tensors. Layer: core. The order is the numeric code of the program format and of native/runtime.

export const DTYPES = ['f32', 'bf16', 'f16', 'i32', 'u8'] as const;

/** Element type of a tensor. `bf16` and `f16` are storage types: arithmetic on them is done in f32. */
export type DType = (typeof DTYPES)[number];

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f32: 4, bf16: 2, f16: 2, i32: 4, u8: 1 };

/** Whether gradients flow through values of this type. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'bf16' || dtype === 'f16';
}
