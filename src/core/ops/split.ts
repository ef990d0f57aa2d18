// split: the parts of one axis, side by side. Views along the first two axes, copies further in. The reverse of concat.
import { forEachElement, ndarray, stridesOf } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';
import { refuse, required } from '../check.ts';
import { maxOf } from '../shape.ts';

const startOf = (sizes: readonly number[], part: number): number => sizes.slice(0, part).reduce((sum, size) => sum + size, 0);

export const split: Op<OpAttrs['split']> = {
  kind: 'view',
  attrs: {
    encode: (a) => [a.axis, ...a.sizes],
    decode: ([axis, ...sizes]) => ({ axis: axis!, sizes }),
  },
  infer(a, x) {
    const meta = required('split', x, 0), dim = meta.shape[a.axis];
    if (typeof dim !== 'number') refuse('split', x, dim === undefined ? `there is no axis ${a.axis}` : 'a bounded axis cannot be split');
    const total = startOf(a.sizes, a.sizes.length);
    if (total !== dim || a.sizes.some((size) => size < 0)) refuse('split', x, `parts of ${a.sizes.join(' + ')} = ${total} do not make up axis ${a.axis}`);
    return a.sizes.map((size) => ({ shape: meta.shape.map((d, i) => (i === a.axis ? size : d)), dtype: meta.dtype }));
  },
  vjp: (b, a, _x, y, dy) => [b.one('concat', { axis: a.axis }, dy.map((d, i) => d ?? b.fill(0, y[i]!.shape, y[i]!.dtype)))],
  flops: () => 0,
  view(a, { meta, stride0 }, _y, part) {
    const start = startOf(a.sizes, part);
    if (a.axis === 0) return { offset: start * stride0, stride0 };
    if (a.axis > 1) return null;
    return { offset: start * meta.shape.slice(2).reduce<number>((n, dim) => n * maxOf(dim), 1), stride0 };
  },
  reference(a, [x], y) {
    const strides = stridesOf(x!.shape);
    return y.map((meta, part) => {
      const out = ndarray(meta.shape as number[]), base = startOf(a.sizes, part) * strides[a.axis]!;
      forEachElement(out.shape, [strides], (flat, [at]) => {
        out.data[flat] = x!.data[base + at!]!;
      });
      return out;
    });
  },
  samples: [
    { name: 'columns', attrs: { axis: 1, sizes: [2, 3, 2] }, inputs: [{ shape: [4, 7] }] },
    { name: 'rows', attrs: { axis: 0, sizes: [1, 3] }, inputs: [{ shape: [4, 3] }] },
  ],
};
