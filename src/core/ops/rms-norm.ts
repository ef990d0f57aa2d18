// rmsNorm: y = x / sqrt(mean(x²) + eps) · weight (Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4; eps is an addition).
// Statistics are f32 whatever the input's dtype. The second output, 1/rms by row, is what the gradient needs. With heads
// between tokens and channels, each head of a token is a row.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { ranked, shaped } from '../check.ts';
import { maxOf, sizeOf } from '../shape.ts';

// N tokens, C channels, or N tokens, H heads, C channels of a head
export const rmsNorm: Op<OpAttrs['rmsNorm']> = {
  kind: 'named',
  attrs: attrs<OpAttrs['rmsNorm']>({ eps: 'number' }),
  infer(_a, x) {
    const input = ranked('rmsNorm', x, 0, 2, 3), rows = input.shape.slice(0, -1); // [N] or [N, H]
    ranked('rmsNorm', x, 1, 1);
    shaped('rmsNorm', x, 1, input.shape.slice(-1));
    return [input, { shape: rows, dtype: 'f32' }];
  },
  decompose(b, a, [x, weight]) {
    const axis = x!.shape.length - 1, c = x!.shape[axis]!, squares = b.one('reduce', { kind: 'sum', axis }, [b.call('square', x!)]);
    const rstd = b.call('rsqrt', b.call('add', b.call('mul', squares, 1 / maxOf(c)), a.eps)); // [N, 1] or [N, H, 1]
    return [b.call('mul', b.call('mul', x!, rstd), weight!), b.reshape(rstd, x!.shape.slice(0, -1))];
  },
  vjp: (b, _a, [x, weight], [, rstd], [dy]) => b.apply('rmsNormBackward', {}, [x!, weight!, rstd!, dy!, null]),
  flops: (_a, [x]) => 4 * sizeOf(x!.shape),
  castable: [0],
  residuals: [1],
  samples: [
    { name: '19x64', attrs: { eps: 1e-5 }, inputs: [{ shape: [19, 64] }, { shape: [64] }] },
    { name: 'odd', attrs: { eps: 1e-6 }, inputs: [{ shape: [7, 33] }, { shape: [33] }] },
    { name: 'heads', attrs: { eps: 1e-6 }, inputs: [{ shape: [7, 3, 24] }, { shape: [24] }] },
  ],
};
