// Operands for tests that walk the operators' table: every sample of every operator, with values drawn from its seed.

import { Random } from '../../src/base/random.ts';
import { OP_NAMES, decodeBlocks, encodeBlocks, isBlockFormat, isFloating, opOf, type BlockFormat, type OpName, type Sample, type SampleInput, type TypedArrayND } from '../../src/core/index.ts';

export interface Case {
  readonly op: OpName;
  readonly sample: Sample<unknown>;
  /** `attention: window`, for the names of tests. */
  readonly title: string;
}

/** Every operator with every one of its samples. */
export function cases(): Case[] {
  return OP_NAMES.flatMap((op) => opOf(op).samples.map((sample) => ({ op, sample, title: `${op}: ${sample.name}` })));
}

/** A weight in a block format: the values that its bytes stand for. */
export interface BlockWeight extends TypedArrayND {
  readonly blocks: Uint8Array;
}

/** The nearest weight in a block format. */
export function inBlocks(format: BlockFormat, shape: readonly number[], values: ArrayLike<number>): BlockWeight {
  const blocks = encodeBlocks(format, Float32Array.from(values));
  return { shape, dtype: format, data: Float64Array.from(decodeBlocks(format, blocks)), blocks };
}

/** Values as the sample asks for: standard normal where it says nothing. */
export function operand(input: SampleInput, random: Random): TypedArrayND {
  const size = input.shape.reduce((n, dim) => n * dim, 1), draw = () => random.uniform();
  const data = Float64Array.from({ length: size }, (_, i) => input.fill?.(i, draw) ?? random.normal());
  const { shape, dtype = 'f32' } = input;
  return isBlockFormat(dtype) ? inBlocks(dtype, shape, data) : { shape, dtype, data };
}

/** All operands of a sample. The same title and seed give the same values. */
export function operands({ sample, title }: Case, seed = 1): (TypedArrayND | null)[] {
  const random = new Random(seed, title);
  return sample.inputs.map((input) => input && operand(input, random));
}

/** Numbers of the floating operands. */
export function floating(x: readonly (TypedArrayND | null)[]): number[] {
  return x.flatMap((array, i) => (array !== null && isFloating(array.dtype) ? [i] : []));
}

/** Standard normal values of a shape. */
export function normals(shape: readonly number[], random: Random): TypedArrayND {
  return operand({ shape }, random);
}

/** The largest |a − b|. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const gap = Object.is(a[i], b[i]) || a[i] === b[i] ? 0 : Math.abs(a[i]! - b[i]!);
    worst = Math.max(worst, Number.isNaN(gap) ? Infinity : gap);
  }
  return worst;
}

/** The largest |a|, at least 1. */
export function scaleOf(a: ArrayLike<number>): number {
  let scale = 1;
  for (let i = 0; i < a.length; i++) scale = Math.max(scale, Math.abs(a[i]!));
  return scale;
}
