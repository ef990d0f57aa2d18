// slice: a range of one axis. A view along the first two axes, a copy further in.
import { forEachElement, ndarray, stridesOf } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { refuse, required } from '../check.ts';
import { maxOf, type Meta } from '../tensor.ts';

/** The length stands in the output's shape, so that it may be bounded by a leading axis of the run. */
export const slice: Op<OpAttrs['slice']> = {
  kind: 'view',
  attrs: attrs<OpAttrs['slice']>({ axis: 'number', start: 'number', length: 'number' }),
  infer(a, x) {
    const meta = required('slice', x, 0), dim = meta.shape[a.axis];
    if (dim === undefined) refuse('slice', x, `there is no axis ${a.axis}`);
    if (a.start < 0 || a.length < 0 || a.start + a.length > maxOf(dim)) {
      refuse('slice', x, `rows ${a.start} to ${a.start + a.length} lie outside axis ${a.axis}`);
    }
    return [{ shape: meta.shape.map((d, i) => (i === a.axis ? a.length : d)), dtype: meta.dtype }];
  },
  vjp(b, a, [x], _y, [dy]) {
    // Zeros before and after. Neighbouring slices of one tensor meet again in `simplify` as one concatenation.
    const part = (length: number): Meta['shape'] => x!.shape.map((d, i) => (i === a.axis ? length : d));
    const after = maxOf(x!.shape[a.axis]!) - a.start - a.length;
    const parts = [a.start > 0 ? b.fill(0, part(a.start)) : null, dy!, after > 0 ? b.fill(0, part(after)) : null].filter((p) => p !== null);
    return [parts.length === 1 ? dy! : b.one('concat', { axis: a.axis }, parts)];
  },
  flops: () => 0,
  view(a, { meta, stride0 }) {
    if (a.axis === 0) return { offset: a.start * stride0, stride0 };
    if (a.axis === 1) {
      const inner = meta.shape.slice(2).reduce<number>((n, dim) => n * maxOf(dim), 1);
      return { offset: a.start * inner, stride0 };
    }
    return null;
  },
  reference(a, [x], [y]) {
    const out = ndarray(y!.shape as number[]), strides = stridesOf(x!.shape), base = a.start * strides[a.axis]!;
    forEachElement(out.shape, [strides], (flat, [at]) => { out.data[flat] = x!.data[base + at!]!; });
    return [out];
  },
  samples: [
    { name: 'columns', attrs: { axis: 1, start: 2, length: 3 }, inputs: [{ shape: [4, 7] }] },
    { name: 'rows', attrs: { axis: 0, start: 1, length: 2 }, inputs: [{ shape: [4, 3] }] },
  ],
};
