// fill: a constant tensor.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';

export const fill: Op<OpAttrs['fill']> = {
  kind: 'primitive',
  attrs: {
    encode: (a) => [a.value],
    decode: ([value], _x, [y]) => ({ value: value!, shape: y!.shape, dtype: y!.dtype }),
  },
  infer: (a) => [{ shape: a.shape, dtype: a.dtype }],
  vjp: () => [],
  flops: () => 0,
  reference(a, _x, [y]) {
    const out = ndarray(y!.shape as number[]);
    out.data.fill(a.value);
    return [out];
  },
  samples: [
    { name: '5x7', attrs: { value: -1.5, shape: [5, 7], dtype: 'f32' }, inputs: [] },
    { name: 'empty', attrs: { value: 1, shape: [0, 3], dtype: 'f32' }, inputs: [] },
  ],
};
