// The GGUF format, version 3 (2 is the same): metadata and tensor descriptions, then the values. Layer: models (pure: the
// names and numbers that reading and writing share).
// See https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.

import type { TensorType } from './gguf-blocks.ts';
import type { WeightType } from './weight-types.ts';

/** "GGUF" in little-endian order. */
export const MAGIC = 0x46554747;
export const VERSION = 3;

/** Where values begin is a multiple of this, unless `general.alignment` says otherwise. */
export const DEFAULT_ALIGNMENT = 32;

/** Types of metadata values in the order of their codes. */
export const VALUE_TYPES = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'string', 'array', 'u64', 'i64', 'f64'] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

/** Arrays of numbers; booleans are bytes. */
export type NumberArray = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array | BigUint64Array | BigInt64Array;

/** A metadata value; 64-bit integers that a double cannot hold are bigint. */
export type GgufValue = number | bigint | boolean | string | readonly string[] | NumberArray | readonly GgufValue[];

/** Bytes of a value; strings and arrays at least their length. */
export const VALUE_BYTES: Readonly<Record<ValueType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** Codes of the types of tensors that are computed with and written (ggml_type). */
export const TENSOR_CODES: Readonly<Record<WeightType, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 8, q4_k: 12, q5_k: 13, q6_k: 14, bf16: 30 };

/** Codes of types that are not read, for messages. */
export const FOREIGN_TYPES: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  21: 'IQ3_S',
  22: 'IQ2_S',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

/** A tensor of a file. `shape` is the rows' order of this repository (GGUF has it reversed); bytes count from the file's beginning. */
export interface GgufTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file says before its values. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}
