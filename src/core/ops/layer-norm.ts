// layerNorm: y = (x − mean) / sqrt(var + eps) · weight + bias (Ba, Kiros & Hinton 2016, arXiv 1607.06450, eq. 3–4).
// The variance is the biased one. Further outputs: mean and 1/σ by row, in f32.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { ranked, shaped } from '../check.ts';
import { maxOf, sizeOf } from '../shape.ts';

// N tokens, C channels
export const layerNorm: Op<OpAttrs['layerNorm']> = {
  kind: 'named',
  attrs: attrs<OpAttrs['layerNorm']>({ eps: 'number' }),
  infer(_a, x) {
    const input = ranked('layerNorm', x, 0, 2), [n, c] = input.shape;
    ranked('layerNorm', x, 1, 1);
    shaped('layerNorm', x, 1, [c!]);
    shaped('layerNorm', x, 2, [c!], 'optional');
    const row = { shape: [n!], dtype: 'f32' as const };
    return [input, row, row];
  },
  decompose(b, a, [x, weight, bias]) {
    const [n, c] = x!.shape, mean1 = (t: typeof x) => b.call('mul', b.one('reduce', { kind: 'sum', axis: 1 }, [t!]), 1 / maxOf(c!));
    const mean = mean1(x!), centred = b.call('sub', x!, mean); // [N, 1], [N, C]
    const rstd = b.call('rsqrt', b.call('add', mean1(b.call('square', centred)), a.eps));
    const scaled = b.call('mul', b.call('mul', centred, rstd), weight!);
    return [bias ? b.call('add', scaled, bias) : scaled, b.reshape(mean, [n!]), b.reshape(rstd, [n!])];
  },
  vjp(b, _a, [x, weight, bias], [, mean, rstd], [dy]) {
    const [dx, dweight, dbias] = b.apply('layerNormBackward', {}, [x!, weight!, mean!, rstd!, dy!, null]);
    return [dx!, dweight!, bias ? dbias! : null];
  },
  flops: (_a, [x]) => 7 * sizeOf(x!.shape),
  castable: [0],
  residuals: [1, 2],
  samples: [
    { name: '19x64', attrs: { eps: 1e-5 }, inputs: [{ shape: [19, 64] }, { shape: [64] }, { shape: [64] }] },
    { name: 'no bias, odd', attrs: { eps: 1e-5 }, inputs: [{ shape: [7, 33] }, { shape: [33] }, null] },
  ],
};
