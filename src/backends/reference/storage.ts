// Stored types as float64 and back. Layer: backends.

import { decodeBlocks } from '../../core/block-formats.ts';
import { isBlockFormat, type BlockFormat, type DType } from '../../core/dtype.ts';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../core/half-floats.ts';
import type { TypedArray } from '../executor.ts';

/** Types whose elements are stored one by one. */
export type ElementType = Exclude<DType, BlockFormat>;

/** The number that is stored as `stored` in an array of a dtype. */
export function numberOf(dtype: ElementType, stored: number): number {
  return dtype === 'bf16' ? fromBfloat16(stored) : dtype === 'f16' ? fromFloat16(stored) : stored;
}

/** What an array of a dtype stores for a number: `array[i] = storedOf(dtype, x)`. */
export function storedOf(dtype: ElementType, x: number): number {
  switch (dtype) {
    case 'bf16':
      return toBfloat16(x);
    case 'f16':
      return toFloat16(x);
    case 'f32':
      return Math.fround(x);
    case 'i32':
      return x | 0;
    case 'u8':
      return x & 255;
    default:
      return dtype satisfies never;
  }
}

/** Values of a stored array as float64. */
export function numbersOf(dtype: DType, array: TypedArray): Float64Array {
  if (isBlockFormat(dtype)) return Float64Array.from(decodeBlocks(dtype, array as Uint8Array));
  const numbers = Float64Array.from(array);
  if (dtype === 'bf16' || dtype === 'f16') { for (let i = 0; i < numbers.length; i++) numbers[i] = numberOf(dtype, numbers[i]!); }
  return numbers;
}

/** Stores float64 values. */
export function store(dtype: ElementType, numbers: ArrayLike<number>, array: TypedArray): void {
  for (let i = 0; i < array.length; i++) array[i] = storedOf(dtype, numbers[i]!);
}
