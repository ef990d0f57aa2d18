// What a family's GGUF form is: llama.cpp's names of tensors and metadata, its order of rows. Layer: models.
// See https://github.com/ggml-org/llama.cpp, gguf-py/gguf/constants.py (names), conversion/ (what is written) and
// src/models/ (what an architecture computes).

import type { State } from '../core/index.ts';
import type { ModelConfig, ModelDims } from './family.ts';
import type { GgufFields } from './gguf-fields.ts';
import type { GgufEntry } from './gguf-write.ts';

export interface GgufForm<C extends ModelConfig = ModelConfig> {
  readonly architecture: string;
  /** Which files of an architecture that several families share are this one's; all by default. */
  recognises?(fields: GgufFields): boolean;
  /** State names to tensor names, `*` standing for the layer. Matrices are [out, in] in both. */
  readonly weights: Readonly<Record<string, string>>;
  /** Tensors that hold nothing learned. */
  readonly ignored: RegExp;
  /** Heads of a State whose rows llama.cpp keeps in pairs (`pairRows`). */
  pairedHeads(id: string, dims: ModelDims): number | undefined;
  /** Whether the file holds a State plus one: weights of norms that are counted from one. */
  fromOne?(id: string): boolean;
  /** Tensors that some files have instead of the one of `weights`. */
  joined?(state: State, dims: ModelDims, config: C): JoinedTensor | undefined;
  /** What llama.cpp's architecture does not compute, as a sentence without its end: such a model is not written. */
  cannot?(config: C, dims: ModelDims): string | undefined;
  /** What llama.cpp will do otherwise than we do, but only in some cases. */
  note?(config: C): string | undefined;
  /** Metadata beside general.* and tokenizer.*. */
  entries(config: C, dims: ModelDims): GgufEntry[];
  /** Tensors that the configuration calls for. */
  constants(config: C, dims: ModelDims): Constant[];
  /**
   * Fields of config.json.
   *
   * @param constant values of a tensor that is there, as f32
   */
  config(fields: GgufFields, constant: ReadConstant): Record<string, unknown>;
}

/** A State that lies in several tensors. */
export interface JoinedTensor {
  readonly parts: readonly { readonly name: string; readonly shape: readonly number[] }[];
  join(values: readonly Float32Array[], out?: Float32Array): Float32Array;
}

export interface Constant {
  readonly name: string;
  readonly values: Float32Array;
}

export type ReadConstant = (name: string) => Float32Array | undefined;
