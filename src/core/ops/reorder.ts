// reorder: rows in another order, y[i] = x[ids[i]], rows being numbered through the first two axes. `inverse` is the order
// that undoes it: with it the gradient is a reorder too, not a sum. What `route` gives fits: (order, places) takes rows of
// (token, expert) pairs to rows sorted by expert, (places, order) takes them back. A number that is no row gives NaN.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { refuse, required, shaped, typed } from '../check.ts';

// N tokens, k experts of each
export const reorder: Op<OpAttrs['reorder']> = {
  kind: 'primitive',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const rows = required('reorder', x, 0); // [N, k, …]
    if (rows.shape.length < 2) refuse('reorder', x, 'rows are numbered through two axes');
    for (const i of [1, 2]) shaped('reorder', x, i, rows.shape.slice(0, 2));
    typed('reorder', x, 'i32', 1, 2);
    return [rows];
  },
  vjp: (b, _a, [, ids, inverse], _y, [dy]) => [b.one('reorder', {}, [dy!, inverse!, ids!]), null, null],
  flops: () => 0,
  reference(_a, [x, ids], [y]) {
    const out = ndarray(y!.shape as number[]), count = ids!.data.length, width = x!.data.length / Math.max(1, count);
    ids!.data.forEach((id, i) => {
      if (id < 0 || id >= count) out.data.fill(NaN, i * width, (i + 1) * width);
      else out.data.set(x!.data.subarray(id * width, (id + 1) * width), i * width);
    });
    return [out];
  },
  samples: [
    // 5·3 = 15 = 1 (mod 14)
    { name: 'rows', attrs: {}, inputs: [{ shape: [7, 2, 9] }, { shape: [7, 2], dtype: 'i32', fill: (i) => (5 * i + 3) % 14 }, { shape: [7, 2], dtype: 'i32', fill: (i) => ((i + 11) * 3) % 14 }] },
    { name: 'numbers', attrs: {}, inputs: [{ shape: [3, 5] }, { shape: [3, 5], dtype: 'i32', fill: (i) => 14 - i }, { shape: [3, 5], dtype: 'i32', fill: (i) => 14 - i }] },
  ],
};
