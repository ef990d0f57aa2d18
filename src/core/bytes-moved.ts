// Memory traffic of one operator. Layer: core.

import { opOf } from './op-table.ts';
import type { OpName } from './op-attrs.ts';
import type { Known } from './op.ts';
import { bytesOf, type Meta } from './shape.ts';

/** Bytes that an operator must move: its own rule, or operands read and results written, once each. */
export function bytesMoved(op: OpName, attrs: unknown, x: readonly (Meta | null)[], y: readonly Meta[], known?: Known): number {
  const { bytes } = opOf(op);
  if (bytes !== undefined) return bytes(attrs as never, x, y, known);
  return [...x, ...y].reduce((sum, meta) => sum + (meta === null ? 0 : bytesOf(meta)), 0);
}
