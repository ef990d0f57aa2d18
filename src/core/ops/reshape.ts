// reshape: the same elements in the same order under another shape.
import type { OpAttrs } from '../op-attrs.ts';
import type { Op } from '../op.ts';
import { refuse, required } from '../check.ts';
import { maxOf, sameDim, showShape, type Shape } from '../shape.ts';

/** Elements after the leading axis. */
const rowSize = (shape: Shape): number => shape.slice(1).reduce<number>((n, dim) => n * maxOf(dim), 1);

export const reshape: Op<OpAttrs['reshape']> = {
  kind: 'view',
  attrs: { encode: () => [], decode: (_numbers, _x, [y]) => ({ shape: y!.shape }) },
  infer(a, x) {
    const meta = required('reshape', x, 0);
    const size = (shape: Shape): number => shape.reduce<number>((n, dim) => n * maxOf(dim), 1);
    const bounds = (shape: Shape): string => shape.map((dim) => (typeof dim === 'number' ? '' : dim.dim)).join('');
    if (size(meta.shape) !== size(a.shape) || bounds(meta.shape) !== bounds(a.shape)) {
      refuse('reshape', x, `${showShape(a.shape)} has another number of elements`);
    }
    return [{ shape: a.shape, dtype: meta.dtype }];
  },
  vjp: (b, _a, [x], _y, [dy]) => [b.reshape(dy!, x!.shape)],
  flops: () => 0,
  view(_a, { meta, stride0 }, y) {
    const from = meta.shape, to = y.shape;
    if (from.length > 0 && to.length > 0 && sameDim(from[0]!, to[0]!)) return { offset: 0, stride0 };
    const contiguous = from.length === 0 || from[0] === 1 || stride0 === rowSize(from);
    return contiguous ? { offset: 0, stride0: rowSize(to) } : null;
  },
  reference: (_a, [x], [y]) => [{ shape: y!.shape as number[], data: x!.data.slice() }],
  samples: [{ name: '6x4 to 3x8', attrs: { shape: [3, 8] }, inputs: [{ shape: [6, 4] }] }],
};
