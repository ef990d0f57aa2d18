// What a run is given, checked against the program's names and types. Layer: backends.

import { ConfigError, ShapeError } from '../base/errors.ts';
import { isBlockFormat, type DType } from '../core/dtype.ts';
import { bytesOf, showShape, sizeOf, type Bound, type Meta } from '../core/shape.ts';
import type { TypedArray, Values } from './executor.ts';

/** Arrays that hold a dtype's values; bf16 and f16 as bit patterns, block formats as bytes. */
export const ARRAYS: Readonly<Record<DType, new(source: ArrayBufferLike | number) => TypedArray>> = {
  f32: Float32Array,
  bf16: Uint16Array,
  f16: Uint16Array,
  i32: Int32Array,
  u8: Uint8Array,
  q8_0: Uint8Array,
  q4_0: Uint8Array,
  q4_k: Uint8Array,
  q5_k: Uint8Array,
  q6_k: Uint8Array,
  bf16x2: Uint8Array,
};

/** @throws {ConfigError} naming the word that is none of `known` */
function refuseOthers(kind: string, given: object, known: readonly string[]): void {
  const extra = Object.keys(given).find((name) => !known.includes(name));
  if (extra === undefined) return;
  throw new ConfigError(`Cannot run the program: it has no ${kind} "${extra}", only ${known.join(', ') || 'none at all'}.`, { path: extra });
}

/** Values of the bounded axes in their order, at their maximum where nothing is said. @throws {ConfigError | ShapeError} */
export function orderDims(dims: readonly Bound[], given: Readonly<Record<string, number>>): number[] {
  refuseOthers('dimension', given, dims.map(({ dim }) => dim));
  return dims.map(({ dim, max }) => {
    const value = given[dim] ?? max;
    if (Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw new ShapeError(`Cannot run the program: dimension "${dim}" is ${value}, and may be an integer from 0 to ${max}.`, { op: 'run', shapes: [String(value)] });
  });
}

/** @throws {ShapeError} if the values are not those of a state */
export function checkValues(id: string, { shape, dtype }: Meta, values: TypedArray): void {
  const need = isBlockFormat(dtype) ? bytesOf({ shape, dtype }) : sizeOf(shape);
  if (values instanceof ARRAYS[dtype] && values.length === need) return;
  throw new ShapeError(`Cannot write state "${id}": it is ${dtype}${showShape(shape)} and takes a ${ARRAYS[dtype].name} of ${need}; a ${values.constructor.name} of ${values.length} was given.`, { op: 'write', shapes: [showShape(shape)] });
}

/** Inputs in the program's order. @throws {ConfigError | ShapeError} naming the one that does not fit */
export function orderInputs(metas: Readonly<Record<string, Meta>>, given: Readonly<Values>, dims: Readonly<Record<string, number>>): TypedArray[] {
  refuseOthers('input', given, Object.keys(metas));
  return Object.entries(metas).map(([name, { shape, dtype }]) => {
    const array = given[name];
    if (array === undefined) throw new ConfigError(`Cannot run the program: input "${name}" is missing.`, { path: name });
    if (!(array instanceof ARRAYS[dtype])) {
      throw new ShapeError(`Cannot run the program: input "${name}" is ${dtype} and needs a ${ARRAYS[dtype].name}.`, { op: 'run', shapes: [name] });
    }
    const need = sizeOf(shape.map((dim) => (typeof dim === 'number' ? dim : (dims[dim.dim] ?? dim.max))));
    if (array.length < need) {
      throw new ShapeError(`Cannot run the program: input "${name}" needs ${need} values, and ${array.length} were given.`, { op: 'run', shapes: [name] });
    }
    return array;
  });
}
