// iota: 0, 1, 2, … along one axis.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';

export const iota: Op<OpAttrs['iota']> = {
  kind: 'primitive',
  attrs: {
    encode: () => [],
    decode: (_numbers, _x, [y]) => ({ length: y!.shape[0]!, dtype: y!.dtype }),
  },
  infer: (a) => [{ shape: [a.length], dtype: a.dtype }],
  vjp: () => [],
  flops: () => 0,
  reference: (_a, _x, [y]) => {
    const [length] = y!.shape as number[];
    return [ndarray([length!], Float64Array.from({ length: length! }, (_, i) => i))];
  },
  samples: [
    { name: '19 i32', attrs: { length: 19, dtype: 'i32' }, inputs: [] },
    { name: '8 f32', attrs: { length: 8, dtype: 'f32' }, inputs: [] },
  ],
};
