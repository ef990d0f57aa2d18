// Which matrix is stored in which type, under one name for the whole file. Layer: models.
// llama.cpp's choices (src/llama-quant.cpp, llama_tensor_get_type): what an error costs most gets more bits.

import type { State } from '../core/index.ts';
import type { Model } from './model.ts';
import { fits, isMatrix, type WeightType } from './weight-types.ts';

export const MIXTURES = ['f32', 'bf16', 'f16', 'q8_0', 'q4_0', 'q4_k_m', 'q5_k_m'] as const;

/** A file's types, by the name that people know them by. */
export type Mixture = (typeof MIXTURES)[number];

/**
 * The type of a State in a file: vectors, learned positions and what chooses experts f32; of matrices by the mixture.
 * - `q4_0`: the matrix of the logits q6_k (as in every 4-bit file of llama.cpp; tied embeddings are it).
 * - `q4_k_m`, `q5_k_m`: the same; `attn.v`, `attn.qkv`, `attn.kvUp` and `mlp.down` of the layers that matter most q6_k.
 * - Rows that are no multiple of 256 have no k-blocks: q8_0 instead (q5_0 and q5_1 there); of 32 no blocks at all: f16.
 */
export function mixtureOf(mixture: Mixture, model: Model, state: State): WeightType {
  if (!isMatrix(state) || state.id === 'positions.weight' || state.id.endsWith('.mlp.router.weight')) return 'f32';
  const wanted = wantedType(mixture, model, state.id), columns = state.meta.shape[1] as number;
  if (fits(wanted, columns)) return wanted;
  return fits('q8_0', columns) ? 'q8_0' : 'f16';
}

function wantedType(mixture: Mixture, { config, dims }: Model, id: string): WeightType {
  if (mixture !== 'q4_0' && mixture !== 'q4_k_m' && mixture !== 'q5_k_m') return mixture;
  if (id === (config.tie_word_embeddings ? 'embed.weight' : 'head.weight')) return 'q6_k';
  if (mixture === 'q4_0') return 'q4_0';
  if (/\.(attn\.(?:v|qkv|kvUp)|mlp\.down|mlp\.experts\.\d+\.down)\.weight$/.test(id) && usesMoreBits(Number(id.split('.')[1]), dims.nLayers)) return 'q6_k';
  return mixture === 'q4_k_m' ? 'q4_k' : 'q5_k';
}

/** The first and last eighth of the layers, and every third between (llama.cpp's use_more_bits). */
function usesMoreBits(layer: number, nLayers: number): boolean {
  const eighth = Math.floor(nLayers / 8);
  return layer < eighth || layer >= Math.floor((7 * nLayers) / 8) || (layer - eighth) % 3 === 2;
}
