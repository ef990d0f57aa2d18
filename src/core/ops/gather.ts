// gather: rows of a table by number. A negative number gives zeros. Its gradient is a scatter-add.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { refuse, required } from '../check.ts';
import { DTYPE_BYTES, isBlockFormat } from '../dtype.ts';
import { bytesOf, rowSize, sizeOf } from '../shape.ts';

export const gather: Op<OpAttrs['gather']> = {
  kind: 'primitive',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const table = required('gather', x, 0), ids = required('gather', x, 1);
    if (ids.dtype !== 'i32') refuse('gather', x, 'the row numbers must be i32');
    if (table.shape.length === 0) refuse('gather', x, 'a scalar has no rows');
    return [{ shape: [...ids.shape, ...table.shape.slice(1)], dtype: isBlockFormat(table.dtype) ? 'f32' : table.dtype }];
  },
  vjp: (b, _a, [table, ids], _y, [dy], wanted) => [
    wanted[0] ? b.one('scatter', { mode: 'add' }, [b.fill(0, table!.shape, table!.dtype), ids!, dy!]) : null,
    null,
  ],
  flops: () => 0,
  bytes: (_a, [table, ids], [y]) => bytesOf(ids!) + sizeOf(ids!.shape) * rowSize(table!.shape) * DTYPE_BYTES[table!.dtype] + bytesOf(y!),
  blocks: [0],
  reference(_a, [table, ids], [y]) {
    const out = ndarray(y!.shape as number[]), width = table!.data.length / Math.max(1, table!.shape[0]!);
    ids!.data.forEach((id, i) => {
      if (id >= table!.shape[0]!) out.data.fill(NaN, i * width, (i + 1) * width);
      else if (id >= 0) out.data.set(table!.data.subarray(id * width, (id + 1) * width), i * width);
    });
    return [out];
  },
  samples: [
    { name: 'q8_0', attrs: {}, inputs: [{ shape: [21, 32], dtype: 'q8_0' }, { shape: [23], dtype: 'i32', fill: (i) => i - 1 }] },
    { name: 'q5_k', attrs: {}, inputs: [{ shape: [5, 256], dtype: 'q5_k' }, { shape: [3], dtype: 'i32', fill: (i) => 4 - i }] },
    { name: 'q6_k', attrs: {}, inputs: [{ shape: [5, 256], dtype: 'q6_k' }, { shape: [3], dtype: 'i32', fill: (i) => 4 - i }] },
    { name: 'rows', attrs: {}, inputs: [{ shape: [11, 9] }, { shape: [14], dtype: 'i32', fill: (i) => (i * 7) % 11 }] },
    { name: 'absent rows', attrs: {}, inputs: [{ shape: [4, 3, 2] }, { shape: [5], dtype: 'i32', fill: (i) => i - 2 }] },
  ],
};
