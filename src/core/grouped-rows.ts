// Rows in groups, as the operators over experts see them: all axes but the last count rows, and offsets say where each
// group's rows begin. Layer: core.

import { expression } from './expression.ts';
import type { Builder } from './op.ts';
import { maxOf, sizeOf, type Meta } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Rows of a tensor, at most. */
export function rowsOf(x: Meta): number {
  return sizeOf(x.shape.slice(0, -1));
}

/**
 * A function that takes the rows of group g from one tensor [n, …] and all others from another.
 *
 * @param offsets i32 [groups + 1]
 */
export function rowMask(b: Builder, n: number, offsets: Tensor): (group: number, inside: Tensor, outside: Tensor) => Tensor {
  const row = b.reshape(b.one('iota', { length: n, dtype: 'f32' }, []), [n, 1]);
  const bounds = b.apply('split', { axis: 0, sizes: Array.from({ length: maxOf(offsets.shape[0]!) }, () => 1) }, [offsets]);
  const choose = expression(5, (e, i, begin, end, inside, outside) => e.call('select', e.call('le', begin!, i!), e.call('select', e.call('lt', i!, end!), inside!, outside!), outside!));
  return (group, inside, outside) => b.map(choose, [row, bounds[group]!, bounds[group + 1]!, inside, outside]);
}
