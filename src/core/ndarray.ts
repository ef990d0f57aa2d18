// Dense arrays in float64: what the reference interpreter computes with. Layer: core.

/** Row-major values; integers are exact up to 2^53. */
export interface NDArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function ndarray(shape: readonly number[], data?: ArrayLike<number>): NDArray {
  const size = shape.reduce((n, dim) => n * dim, 1);
  return { shape, data: data === undefined ? new Float64Array(size) : Float64Array.from(data) };
}

/** Elements between neighbours along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/**
 * Calls `visit` for every element of `shape` in row-major order with the flat position in each operand, whose strides
 * are given axis by axis (0 for a broadcast axis).
 */
export function forEachElement(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (flat: number, at: readonly number[]) => void,
): void {
  const size = shape.reduce((n, dim) => n * dim, 1);
  const index = new Array<number>(shape.length).fill(0);
  const at = new Array<number>(strides.length).fill(0);
  for (let flat = 0; flat < size; flat++) {
    visit(flat, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let k = 0; k < at.length; k++) at[k]! += strides[k]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let k = 0; k < at.length; k++) at[k]! -= strides[k]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

/** Strides of `from`, right-aligned to `to`, with 0 where it is broadcast. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(from), shift = to.length - from.length;
  return to.map((_, axis) => (axis < shift || from[axis - shift] === 1 ? 0 : own[axis - shift]!));
}
