// dequantise: a weight in a block format as f32. What linear and gather read such a weight as; on its own it is needed
// where a kernel cannot, as for the gradient of linear's input. Not differentiable: block formats hold no gradients.
import { ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { ranked, refuse } from '../check.ts';
import { BLOCKS, isBlockFormat, type BlockFormat } from '../dtype.ts';

export const dequantise: Op<OpAttrs['dequantise']> = {
  kind: 'primitive',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const weight = ranked('dequantise', x, 0, 2); // [M, K]
    if (!isBlockFormat(weight.dtype)) refuse('dequantise', x, 'the weight must be in a block format');
    return [{ shape: weight.shape, dtype: 'f32' }];
  },
  vjp: null,
  flops: () => 0,
  blocks: [0],
  // Arrays of the reference hold the values that the format stands for.
  reference: (_a, [weight], [y]) => [ndarray(y!.shape as number[], weight!.data)],
  samples: (Object.keys(BLOCKS) as BlockFormat[]).map((dtype) => ({ name: dtype, attrs: {}, inputs: [{ shape: [21, 2 * BLOCKS[dtype].values], dtype }] })),
};
