// Types of tensors in GGUF files: ours, which are computed with, and those that are only read. Layer: models.

import { bytesOf } from '../core/index.ts';
import { FOREIGN, isForeign, type ForeignName, type TensorType } from './gguf-blocks.ts';
import { TENSOR_CODES } from './gguf.ts';
import { blockValues, computedType, type WeightType } from './weight-types.ts';

/** By code (ggml_type). */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map<number, TensorType>([
  ...(Object.keys(TENSOR_CODES) as WeightType[]).map((type) => [TENSOR_CODES[type], type] as const),
  ...(Object.keys(FOREIGN) as ForeignName[]).map((type) => [FOREIGN[type].code, type] as const),
]);

/** Values and bytes of a block. */
export function tensorBlock(type: TensorType): { readonly values: number; readonly bytes: number } {
  if (isForeign(type)) return FOREIGN[type];
  const values = blockValues(type);
  return { values, bytes: bytesOf({ shape: [values], dtype: type }) };
}

/** The type that a matrix is computed with. */
export function typeToCompute(type: TensorType): WeightType {
  return isForeign(type) ? FOREIGN[type].computed : computedType(type);
}
