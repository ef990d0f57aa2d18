// Types that weights are stored in, and a model whose parameters have others than f32. Layer: models.

import { ConfigError } from '../base/errors.ts';
import { BLOCKS, decodeBlocks, encodeBlocks, isBlockFormat, type DType, type State } from '../core/index.ts';
import type { Model } from './model.ts';
import { narrowBf16, narrowF16, widenBf16, widenF16 } from './narrow-floats.ts';

/** Types of stored weights. */
export type WeightType = Extract<DType, 'f32' | 'bf16' | 'f16' | 'q8_0' | 'q4_0' | 'q4_k' | 'q5_k' | 'q6_k'>;

export const WEIGHT_TYPES: readonly WeightType[] = ['f32', 'bf16', 'f16', 'q8_0', 'q4_0', 'q4_k', 'q5_k', 'q6_k'];

/** Stored values: f32, the bits of bf16 and f16, or blocks. */
export type WeightValues = Float32Array | Uint16Array | Uint8Array;

/**
 * The same model with other types for its parameters, for inference: `traceInto` and all graphs follow. Matrices may have
 * any type whose blocks fit their rows; vectors (norms, biases) stay f32, which their operators want.
 *
 * @param typeOf what each matrix is to have
 * @throws {ConfigError} if a block does not fit a matrix's rows
 */
export function withWeightTypes(model: Model, typeOf: (state: State) => DType): Model {
  return { ...model, states: model.states.map((state) => {
    const dtype = isMatrix(state) ? typeOf(state) : 'f32', columns = state.meta.shape.at(-1) as number;
    if (!fits(dtype, columns)) throw new ConfigError(`Cannot store "${state.id}" as ${dtype}: its rows of ${columns} values are not whole blocks of ${blockValues(dtype)}. Choose another type for it.`);
    return dtype === state.meta.dtype ? state : { ...state, meta: { ...state.meta, dtype } };
  }) };
}

/** Only matrices are worth storing in less than f32. */
export function isMatrix(state: State): boolean {
  return state.meta.shape.length === 2;
}

/** Values of a block; 1 where values are stored one by one. */
export function blockValues(type: DType): number {
  return isBlockFormat(type) ? BLOCKS[type].values : 1;
}

/** Whether a row of so many values is whole blocks. */
export function fits(type: DType, columns: number): boolean {
  return columns % blockValues(type) === 0;
}

/** The type that a matrix of a file is computed with: f16, for which there are no kernels, becomes bf16 (8 of its 11 bits). */
export function computedType(type: WeightType): WeightType {
  return type === 'f16' ? 'bf16' : type;
}

/** Nearest stored values. @throws {NumericsError} if a block format cannot hold them */
export function encodeWeights(type: WeightType, values: Float32Array): WeightValues {
  if (type === 'f32') return values;
  if (isBlockFormat(type)) return encodeBlocks(type, values);
  const bits = new Uint16Array(values.length);
  (type === 'bf16' ? narrowBf16 : narrowF16)(values, bits);
  return bits;
}

/** Values of stored bytes, into `out`. */
export function decodeWeights(type: WeightType, bytes: Uint8Array, out: Float32Array): Float32Array {
  if (isBlockFormat(type)) return decodeBlocks(type, bytes, out);
  if (type === 'f32') new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
  else (type === 'bf16' ? widenBf16 : widenF16)(asValues(type, bytes) as Uint16Array, out);
  return out;
}

/** Bytes as an array of the type's values: the same memory where it is aligned. */
export function asValues(type: WeightType, bytes: Uint8Array): WeightValues {
  if (isBlockFormat(type)) return bytes;
  const aligned = bytes.byteOffset % (type === 'f32' ? 4 : 2) === 0 ? bytes : Uint8Array.from(bytes);
  return type === 'f32' ? new Float32Array(aligned.buffer, aligned.byteOffset, bytes.length / 4) : new Uint16Array(aligned.buffer, aligned.byteOffset, bytes.length / 2);
}

/** The bytes of values. */
export function asBytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
