// Growing typed arrays. Layer: tokenizer (pure).

/** A copy of at least `atLeast` elements and twice the size, so that growing one by one stays linear in all. */
export function grown(array: Int32Array, atLeast: number): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(Math.max(atLeast, array.length * 2));
  copy.set(array);
  return copy;
}

/** The same for numbers that pass 2^31, such as counts. */
export function grownFloats(array: Float64Array, atLeast: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(Math.max(atLeast, array.length * 2));
  copy.set(array);
  return copy;
}
