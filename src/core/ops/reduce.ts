// reduce: sum or maximum over one axis, which stays with length 1.
import { forEachElement, ndarray, stridesOf } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { attrs, type Op } from '../op.ts';
import { refuse, required } from '../check.ts';
import { expression } from '../expression.ts';
import { reduceWorkspace } from '../norm-workspace.ts';
import { maxOf, sizeOf } from '../shape.ts';

export const reduce: Op<OpAttrs['reduce']> = {
  kind: 'primitive',
  attrs: attrs<OpAttrs['reduce']>({ kind: ['sum', 'max'], axis: 'number' }),
  infer(a, x) {
    const meta = required('reduce', x, 0);
    if (meta.shape[a.axis] === undefined) refuse('reduce', x, `there is no axis ${a.axis}`);
    return [{ shape: meta.shape.map((dim, i) => (i === a.axis ? 1 : dim)), dtype: meta.dtype }];
  },
  vjp(b, a, [x], [y], [dy]) {
    if (a.kind === 'sum') return [b.cast(b.broadcast(dy!, x!.shape), x!.dtype)];
    // The maximum's gradient goes to every element that equals it.
    const toMaxima = expression(3, (e, value, top, d) => e.call('select', e.call('eq', value!, top!), d!, e.constant(0)));
    return [b.map(toMaxima, [x!, y!, dy!], x!.dtype)];
  },
  flops: (_a, [x]) => sizeOf(x!.shape),
  workspace: (a, [x]) => reduceWorkspace(sizeOf(x!.shape.slice(0, a.axis)), maxOf(x!.shape[a.axis]!), sizeOf(x!.shape.slice(a.axis + 1))),
  reference(a, [x], [y]) {
    const out = ndarray(y!.shape as number[]);
    if (a.kind === 'max') out.data.fill(-Infinity);
    const strides = stridesOf(out.shape).map((stride, axis) => (axis === a.axis ? 0 : stride));
    forEachElement(x!.shape, [strides], (flat, [at]) => {
      const value = x!.data[flat]!, before = out.data[at!]!;
      out.data[at!] = a.kind === 'sum' ? before + value : Number.isNaN(value) || value > before ? value : before;
    });
    return [out];
  },
  samples: [
    { name: 'sum rows', attrs: { kind: 'sum', axis: 0 }, inputs: [{ shape: [77, 33] }] },
    { name: 'sum columns', attrs: { kind: 'sum', axis: 1 }, inputs: [{ shape: [9, 100] }] },
    { name: 'max columns', attrs: { kind: 'max', axis: 1 }, inputs: [{ shape: [9, 33] }] },
    { name: 'sum middle', attrs: { kind: 'sum', axis: 1 }, inputs: [{ shape: [3, 5, 7] }] },
  ],
};
