// Shapes and element types of tensors. Layer: core.

import { DTYPE_BYTES, type DType } from './dtype.ts';

/** A bounded axis: planned at `max`, run at what is there. Only a leading axis may be bounded. */
export interface Bound {
  readonly dim: string;
  readonly max: number;
}

export type Dim = number | Bound;
export type Shape = readonly Dim[];

/** Shape and element type. */
export interface Meta {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The largest value of an axis. */
export function maxOf(dim: Dim): number {
  return typeof dim === 'number' ? dim : dim.max;
}

export function sameDim(a: Dim, b: Dim): boolean {
  return typeof a === 'number' || typeof b === 'number' ? a === b : a.dim === b.dim && a.max === b.max;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}

/** Number of elements, bounded axes at their maximum. */
export function sizeOf(shape: Shape): number {
  return shape.reduce<number>((n, dim) => n * maxOf(dim), 1);
}

/** Bytes, bounded axes at their maximum. */
export function bytesOf(meta: Meta): number {
  return sizeOf(meta.shape) * DTYPE_BYTES[meta.dtype];
}

/** `[tokens≤512, 384]`, for messages and printed graphs. */
export function showShape(shape: Shape): string {
  return `[${shape.map((dim) => (typeof dim === 'number' ? dim : `${dim.dim}≤${dim.max}`)).join(', ')}]`;
}

/** Elements of a row of the first axis. */
export function rowSize(shape: Shape): number {
  return sizeOf(shape.slice(1));
}
