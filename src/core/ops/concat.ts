// concat: operands joined along one axis.
import { forEachElement, ndarray, stridesOf } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { agree, refuse, required } from '../check.ts';
import { maxOf } from '../shape.ts';

export const concat: Op<OpAttrs['concat']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['concat']>({ axis: 'number' }),
  infer(a, x) {
    const first = required('concat', x, 0);
    let length = 0;
    x.forEach((meta, i) => {
      if (meta === null || meta.shape.length !== first.shape.length) refuse('concat', x, 'all operands need the same rank');
      meta.shape.forEach((dim, axis) => axis !== a.axis && agree('concat', x, `axis ${axis} of operands 0 and ${i}`, dim, first.shape[axis]!));
      length += maxOf(meta.shape[a.axis] ?? 0);
    });
    return [{ shape: first.shape.map((dim, axis) => (axis === a.axis ? length : dim)), dtype: first.dtype }];
  },
  vjp(b, a, x, _y, [dy], wanted) {
    const parts = b.apply('split', { axis: a.axis, sizes: x.map((part) => maxOf(part!.shape[a.axis]!)) }, [dy!]);
    return parts.map((part, i) => (wanted[i] ? part : null));
  },
  flops: () => 0,
  reference(a, x, [y]) {
    const out = ndarray(y!.shape as number[]), strides = stridesOf(out.shape);
    let start = 0;
    for (const part of x) {
      const base = start * strides[a.axis]!;
      forEachElement(part!.shape, [strides], (flat, [at]) => {
        out.data[base + at!] = part!.data[flat]!;
      });
      start += part!.shape[a.axis]!;
    }
    return [out];
  },
  samples: [
    { name: 'columns', attrs: { axis: 1 }, inputs: [{ shape: [5, 3] }, { shape: [5, 4] }, { shape: [5, 1] }] },
    { name: 'rows', attrs: { axis: 0 }, inputs: [{ shape: [2, 3] }, { shape: [3, 3] }] },
  ],
};
