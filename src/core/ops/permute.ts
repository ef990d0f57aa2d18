// permute: axes in another order, copied into place.
import { forEachElement, ndarray, stridesOf } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';
import { refuse, required } from '../check.ts';

export const permute: Op<OpAttrs['permute']> = {
  kind: 'primitive',
  attrs: { encode: (a) => [...a.perm], decode: (numbers) => ({ perm: [...numbers] }) },
  infer(a, x) {
    const meta = required('permute', x, 0);
    if ([...a.perm].sort((i, j) => i - j).some((axis, i) => axis !== i) || a.perm.length !== meta.shape.length) {
      refuse('permute', x, `${a.perm.join(', ')} is not an order of its axes`);
    }
    return [{ shape: a.perm.map((axis) => meta.shape[axis]!), dtype: meta.dtype }];
  },
  vjp: (b, a, _x, _y, [dy]) => [b.one('permute', { perm: a.perm.map((_, i) => a.perm.indexOf(i)) }, [dy!])],
  flops: () => 0,
  reference(a, [x], [y]) {
    const out = ndarray(y!.shape as number[]), strides = stridesOf(x!.shape);
    forEachElement(out.shape, [a.perm.map((axis) => strides[axis]!)], (flat, [at]) => {
      out.data[flat] = x!.data[at!]!;
    });
    return [out];
  },
  samples: [
    { name: 'heads first', attrs: { perm: [1, 0, 2] }, inputs: [{ shape: [5, 3, 4] }] },
    { name: 'transpose', attrs: { perm: [1, 0] }, inputs: [{ shape: [9, 17] }] },
    { name: 'rank 4', attrs: { perm: [1, 2, 0, 3] }, inputs: [{ shape: [2, 3, 5, 7] }] },
  ],
};
