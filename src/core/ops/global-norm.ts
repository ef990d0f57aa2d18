// globalNorm: the Euclidean length of all operands together, sqrt(Σ x²), for clipping (Pascanu et al. 2013, arXiv 1211.5063).
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { required } from '../check.ts';
import { sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';

export const globalNorm: Op<OpAttrs['globalNorm']> = {
  kind: 'named',
  attrs: NO_ATTRS,
  infer(_a, x) {
    required('globalNorm', x, 0); // at least one
    x.forEach((_, i) => required('globalNorm', x, i));
    return [{ shape: [1], dtype: 'f32' }];
  },
  decompose(b, _a, x) {
    const sums = x.map((t) => b.sumTo(b.reshape(b.call('square', t!), [sizeOf(t!.shape)]), [1]));
    return [b.call('sqrt', sums.reduce((sum: Tensor, t) => b.call('add', sum, t)))];
  },
  vjp: null,
  flops: (_a, x) => x.reduce((n, meta) => n + 2 * sizeOf(meta!.shape), 0),
  workspace: (_a, x) => 8 * x.reduce((n, meta) => n + 1 + Math.ceil(sizeOf(meta!.shape) / GLOBAL_NORM_CHUNK), 0),
  samples: [{ name: 'three tensors', attrs: {}, inputs: [{ shape: [5, 3] }, { shape: [17] }, { shape: [40, 50] }] }],
};

/** Elements whose squares are summed by one task: the shape of the sum, whatever the number of threads. */
const GLOBAL_NORM_CHUNK = 16384;
