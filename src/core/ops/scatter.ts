// scatter: rows written into, or added to, a table by number, in place. A number outside the table is skipped.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { refuse, required, shaped } from '../check.ts';
import { DTYPE_BYTES } from '../dtype.ts';
import { bytesOf, sizeOf } from '../shape.ts';

export const scatter: Op<OpAttrs['scatter']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['scatter']>({ mode: ['set', 'add'] }),
  infer(_a, x) {
    const dest = required('scatter', x, 0), ids = required('scatter', x, 1);
    if (ids.dtype !== 'i32') refuse('scatter', x, 'the row numbers must be i32');
    required('scatter', x, 2);
    shaped('scatter', x, 2, [...ids.shape, ...dest.shape.slice(1)]);
    if ((dest.dtype === 'i32') !== (x[2]?.dtype === 'i32')) refuse('scatter', x, 'integers go to integers, and floating numbers to floating ones');
    return [{ shape: dest.shape, dtype: dest.dtype }];
  },
  vjp(b, a, [, ids], _y, [dy], wanted) {
    if (a.mode === 'set') return [null, null, null]; // writing a cache: no gradient flows through it
    return [wanted[0] ? dy! : null, null, wanted[2] ? b.one('gather', {}, [dy!, ids!]) : null];
  },
  flops: (a, x) => (a.mode === 'add' ? sizeOf(x[2]!.shape) : 0),
  bytes: (a, [dest, ids, src]) => bytesOf(ids!) + bytesOf(src!) + sizeOf(src!.shape) * DTYPE_BYTES[dest!.dtype] * (a.mode === 'add' ? 2 : 1),
  inPlace: [[0, 0]],
  addend: { input: 0, to: 0, when: ({ mode }) => mode === 'add' },
  reference(a, [dest, ids, src]) {
    const data = dest!.data.slice(), rows = dest!.shape[0]!, width = data.length / Math.max(1, rows);
    ids!.data.forEach((id, i) => {
      if (id < 0 || id >= rows) return;
      for (let j = 0; j < width; j++) data[id * width + j] = src!.data[i * width + j]! + (a.mode === 'add' ? data[id * width + j]! : 0);
    });
    return [{ shape: dest!.shape, data }];
  },
  samples: [
    { name: 'add', attrs: { mode: 'add' }, inputs: [{ shape: [7, 5] }, { shape: [12], dtype: 'i32', fill: (i) => (i * 5) % 7 }, { shape: [12, 5] }] },
    { name: 'add skips', attrs: { mode: 'add' }, inputs: [{ shape: [4, 3] }, { shape: [6], dtype: 'i32', fill: (i) => (i % 5) - 1 }, { shape: [6, 3] }] },
  ],
};
