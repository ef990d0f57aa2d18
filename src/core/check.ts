// Shape checks shared by the operators' `infer` rules, with one wording of errors. Layer: core.

import { ShapeError } from '../base/errors.ts';
import type { DType } from './dtype.ts';
import { sameDim, sameShape, showShape, type Dim, type Meta, type Shape } from './shape.ts';

/** Throws a ShapeError that shows all operands. */
export function refuse(op: string, x: readonly (Meta | null)[], why: string): never {
  const shapes = x.map((meta) => (meta === null ? '–' : `${meta.dtype}${showShape(meta.shape)}`));
  throw new ShapeError(`Cannot build ${op} of ${shapes.join(', ')}: ${why}.`, { op, shapes });
}

/** The operand, which must be there. */
export function required(op: string, x: readonly (Meta | null)[], i: number): Meta {
  const meta = x[i];
  return meta ?? refuse(op, x, `operand ${i} is missing`);
}

/** The operand, which must have a rank (or one of several). */
export function ranked(op: string, x: readonly (Meta | null)[], i: number, ...ranks: number[]): Meta {
  const meta = required(op, x, i);
  if (!ranks.includes(meta.shape.length)) refuse(op, x, `operand ${i} must have ${ranks.join(' or ')} axes, not ${meta.shape.length}`);
  return meta;
}

/** Two axes that must agree. */
export function agree(op: string, x: readonly (Meta | null)[], what: string, a: Dim, b: Dim): void {
  if (!sameDim(a, b)) refuse(op, x, `${what} must agree, but they are ${showShape([a])} and ${showShape([b])}`);
}

/** An operand that must have a shape. @param optional it may be absent */
export function shaped(op: string, x: readonly (Meta | null)[], i: number, shape: Shape, optional?: 'optional'): void {
  const meta = optional === 'optional' ? x[i] : required(op, x, i);
  if (meta && !sameShape(meta.shape, shape)) refuse(op, x, `operand ${i} must be ${showShape(shape)}`);
}

/** The shape that operands, and `wanted`, broadcast to (right-aligned; an axis of 1 stretches). @throws {ShapeError} */
export function broadcastShape(op: string, x: readonly (Meta | null)[], wanted: Shape = []): Shape {
  const shapes = [wanted, ...x.filter((meta) => meta !== null).map((meta) => meta.shape)];
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let dim: Dim = 1;
    for (const shape of shapes) {
      const own = shape[axis - (rank - shape.length)];
      if (own === undefined || own === 1 || sameDim(own, dim)) continue;
      if (dim !== 1) refuse(op, x, `axis ${axis} is ${showShape([dim])} in one operand and ${showShape([own])} in another`);
      dim = own;
    }
    return dim;
  });
}

/** Operands that a kernel reads as one type, where they are there. */
export function typed(op: string, x: readonly (Meta | null)[], dtype: DType, ...operands: number[]): void {
  for (const i of operands) {
    const meta = x[i];
    if (meta && meta.dtype !== dtype) refuse(op, x, `operand ${i} must be ${dtype}`);
  }
}
