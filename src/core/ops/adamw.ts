// adamw: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2), in one pass over a
// parameter, its gradient and its moments. The learning rate multiplies the decay; eps stands outside the root.
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { expression, ExpressionBuilder } from '../expression.ts';
import { required, shaped, typed } from '../check.ts';
import { sizeOf } from '../shape.ts';

export const adamw: Op<OpAttrs['adamw']> = {
  kind: 'named',
  attrs: attrs<OpAttrs['adamw']>({ beta1: 'number', beta2: 'number', eps: 'number', weightDecay: 'number' }),
  infer(_a, x) {
    const p = required('adamw', x, 0);
    for (const i of [1, 2, 3]) shaped('adamw', x, i, p.shape);
    for (const i of [4, 5, 6]) shaped('adamw', x, i, [1]);
    typed('adamw', x, 'f32', 0, 1, 2, 3, 4, 6);
    typed('adamw', x, 'i32', 5);
    return [p, required('adamw', x, 2), required('adamw', x, 3)];
  },
  decompose(b, a, [p, g, m, v, lr, step, gradScale]) {
    const correction = (beta: number) =>
      b.map(
        expression(1, (e, t) => e.call('sub', e.constant(1), e.call('pow', e.constant(beta), t!))),
        [step!],
      );
    const e = new ExpressionBuilder(8);
    const [rp, rg, rm, rv, rlr, rscale, c1, c2] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
    const gradient = e.call('mul', rg, rscale);
    const blend = (beta: number, before: number, now: number) => e.call('add', e.call('mul', e.constant(beta), before), e.call('mul', e.constant(1 - beta), now));
    const m2 = blend(a.beta1, rm, gradient), v2 = blend(a.beta2, rv, e.call('square', gradient));
    const root = e.call('add', e.call('sqrt', e.call('div', v2, c2)), e.constant(a.eps));
    const update = e.call('div', e.call('div', m2, c1), root);
    const decayed = e.call('mul', rp, e.call('sub', e.constant(1), e.call('mul', rlr, e.constant(a.weightDecay))));
    const whole = e.finish([e.call('sub', decayed, e.call('mul', rlr, update)), m2, v2]);
    return b.apply('map', { expression: whole, dtypes: [p!.dtype, m!.dtype, v!.dtype] }, [p!, g!, m!, v!, lr!, gradScale!, correction(a.beta1), correction(a.beta2)]);
  },
  vjp: null,
  flops: (_a, [p]) => 14 * sizeOf(p!.shape),
  inPlace: [[0, 0], [2, 1], [3, 2]],
  samples: [
    {
      name: 'third step',
      attrs: { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 },
      inputs: [
        { shape: [13, 7] },
        { shape: [13, 7] },
        { shape: [13, 7] },
        { shape: [13, 7], fill: (_i, random) => random() },
        { shape: [1], fill: () => 1e-2 },
        { shape: [1], dtype: 'i32', fill: () => 3 },
        { shape: [1], fill: () => 0.5 },
      ],
    },
  ],
};
