// rmsNormBackward: with x̂ = x·rstd and g = dy·weight, dx = rstd·(g − x̂·mean(g·x̂)) + addend and dweight = Σ dy·x̂ over rows.
import type { OpAttrs } from '../op-attrs.ts';
import { NO_ATTRS, type Op } from '../op.ts';
import { ranked, shaped, typed } from '../check.ts';
import { normBackwardWorkspace } from '../norm-workspace.ts';
import { maxOf, sizeOf } from '../shape.ts';

export const rmsNormBackward: Op<OpAttrs['rmsNormBackward']> = {
  kind: 'named',
  attrs: NO_ATTRS,
  infer(_a, x) {
    const input = ranked('rmsNormBackward', x, 0, 2), [n, c] = input.shape;
    shaped('rmsNormBackward', x, 1, [c!]);
    shaped('rmsNormBackward', x, 2, [n!]);
    typed('rmsNormBackward', x, 'f32', 2);
    shaped('rmsNormBackward', x, 3, input.shape);
    shaped('rmsNormBackward', x, 4, input.shape, 'optional');
    return [{ shape: input.shape, dtype: input.dtype }, { shape: [c!], dtype: 'f32' }];
  },
  decompose(b, _a, [x, weight, rstd, dy, addend]) {
    const [n, c] = x!.shape, column = b.reshape(rstd!, [n!, 1]);
    const normed = b.call('mul', x!, column), g = b.call('mul', dy!, weight!);
    const mean = b.call('mul', b.one('reduce', { kind: 'sum', axis: 1 }, [b.call('mul', g, normed)]), 1 / maxOf(c!));
    const dx = b.call('mul', column, b.call('sub', g, b.call('mul', normed, mean)));
    return [addend ? b.call('add', dx, addend) : dx, b.sumTo(b.call('mul', dy!, normed), [c!])];
  },
  vjp: null,
  flops: (_a, [x]) => 10 * sizeOf(x!.shape),
  workspace: (_a, [x]) => normBackwardWorkspace(maxOf(x!.shape[0]!), maxOf(x!.shape[1]!), 1),
  reuse: [[4, 0]],
  addend: { input: 4, to: 0 },
  castable: [0],
  samples: [
    { name: '19x64', attrs: {}, inputs: [{ shape: [19, 64] }, { shape: [64] }, { shape: [19] }, { shape: [19, 64] }, { shape: [19, 64] }] },
    { name: 'many rows', attrs: {}, inputs: [{ shape: [301, 33] }, { shape: [33] }, { shape: [301] }, { shape: [301, 33] }, null] },
  ],
};
