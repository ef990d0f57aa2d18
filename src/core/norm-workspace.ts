// Scratch for sums over rows that are kept by chunk and added in order. Layer: core. The same as native/cpu/row-sums.h.

/** Sums of `cols` numbers by chunk of rows, for `sums` results (a norm's weight and bias gradients). */
export function normBackwardWorkspace(rows: number, cols: number, sums: number): number {
  const chunk = Math.max(16, Math.ceil(rows / 64));
  return 4 * Math.ceil(rows / chunk) * cols * sums;
}

/** A reduction over the middle axis of [outer, n, inner]. */
export function reduceWorkspace(outer: number, n: number, inner: number): number {
  if (n < 256 || outer * Math.ceil(inner / 64) >= 64) return 0;
  const pieces = Math.ceil(n / Math.max(128, Math.ceil(n / 32)));
  return pieces > 1 ? 4 * pieces * outer * inner : 0;
}
