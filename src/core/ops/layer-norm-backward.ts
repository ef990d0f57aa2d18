// layerNormBackward: with x̂ = (x − mean)·rstd and g = dy·weight, dx = rstd·(g − mean(g) − x̂·mean(g·x̂)) + addend,
// dweight = Σ dy·x̂ and dbias = Σ dy over rows.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { ranked, shaped, typed } from '../check.ts';
import { normBackwardWorkspace } from '../norm-workspace.ts';
import { maxOf, sizeOf } from '../shape.ts';

export const layerNormBackward: Op<OpAttrs['layerNormBackward']> = {
  kind: 'named',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const input = ranked('layerNormBackward', x, 0, 2), [n, c] = input.shape;
    shaped('layerNormBackward', x, 1, [c!]);
    for (const i of [2, 3]) shaped('layerNormBackward', x, i, [n!]);
    typed('layerNormBackward', x, 'f32', 2, 3);
    shaped('layerNormBackward', x, 4, input.shape);
    shaped('layerNormBackward', x, 5, input.shape, 'optional');
    const channel = { shape: [c!], dtype: 'f32' as const };
    return [{ shape: input.shape, dtype: input.dtype }, channel, channel];
  },
  decompose(b, _a, [x, weight, mean, rstd, dy, addend]) {
    const [n, c] = x!.shape, column = (t: typeof x) => b.reshape(t!, [n!, 1]);
    const mean1 = (t: typeof x) => b.call('mul', b.one('reduce', { kind: 'sum', axis: 1 }, [t!]), 1 / maxOf(c!));
    const normed = b.call('mul', b.call('sub', x!, column(mean!)), column(rstd!)), g = b.call('mul', dy!, weight!);
    const inner = b.call('sub', b.call('sub', g, mean1(g)), b.call('mul', normed, mean1(b.call('mul', g, normed))));
    const dx = b.call('mul', column(rstd!), inner);
    return [addend ? b.call('add', dx, addend) : dx, b.sumTo(b.call('mul', dy!, normed), [c!]), b.sumTo(dy!, [c!])];
  },
  vjp: null,
  flops: (_a, [x]) => 13 * sizeOf(x!.shape),
  workspace: (_a, [x]) => normBackwardWorkspace(maxOf(x!.shape[0]!), maxOf(x!.shape[1]!), 2),
  reuse: [[5, 0]],
  addend: { input: 5, to: 0 },
  castable: [0],
  samples: [
    { name: '19x64', attrs: {}, inputs: [{ shape: [19, 64] }, { shape: [64] }, { shape: [19] }, { shape: [19] }, { shape: [19, 64] }, { shape: [19, 64] }] },
    { name: 'many rows', attrs: {}, inputs: [{ shape: [301, 33] }, { shape: [33] }, { shape: [301] }, { shape: [301] }, { shape: [301, 33] }, null] },
  ],
};
