// What the configurations of Llama's descendants have in common: fields, sizes, names of weights. Layer: models.

import { z } from 'zod';
import type { DecoderOptions } from '../nn/index.ts';
import { COUNT, LAYERS, mustDivide, type Impossible, type ModelDims } from './family.ts';
import { checkScaling, ROPE_FIELDS } from './rotary-config.ts';

/** Fields as transformers names them; a family spreads them and adds or replaces its own. */
export const DECODER_FIELDS = {
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  num_key_value_heads: COUNT.nullish(),
  head_dim: COUNT.nullish(),
  max_position_embeddings: COUNT.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  ...ROPE_FIELDS,
  initializer_range: z.number().nonnegative().default(0.02),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal('silu').default('silu'),
};

const fields = z.object(DECODER_FIELDS);

/** The fields that sizes depend on. */
export type DecoderConfig = Readonly<Omit<z.infer<typeof fields>, 'hidden_act' | 'rope_theta'>>;

export function decoderDims(c: DecoderConfig): ModelDims {
  return {
    nLayers: c.num_hidden_layers,
    nEmbd: c.hidden_size,
    nHeads: c.num_attention_heads,
    nKvHeads: c.num_key_value_heads ?? c.num_attention_heads,
    headSize: c.head_dim ?? c.hidden_size / c.num_attention_heads,
    vocabSize: c.vocab_size,
    maxPositions: c.max_position_embeddings,
  };
}

/** @param turned channels of a head that rotary positions turn, all by default */
export function checkDecoder(c: DecoderConfig, turned?: number): Impossible | undefined {
  const { nHeads, nKvHeads, headSize } = decoderDims(c), width = c.head_dim == null ? mustDivide('hidden_size', c.hidden_size, 'num_attention_heads', nHeads) : undefined;
  const odd = (turned ?? headSize) % 2 === 0 ? undefined : { key: 'head_dim', why: `the head size ${turned ?? headSize} must be even, since rotary positions turn pairs of channels` };
  return width ?? mustDivide('num_attention_heads', nHeads, 'num_key_value_heads', nKvHeads) ?? odd ?? checkScaling(c.rope_scaling, turned ?? headSize);
}

/** What `decoder` of src/nn wants of them. */
export function decoderOptions(c: DecoderConfig): DecoderOptions {
  return { vocabSize: c.vocab_size, nEmbd: c.hidden_size, nLayers: c.num_hidden_layers, eps: c.rms_norm_eps, std: c.initializer_range, tied: c.tie_word_embeddings };
}

/** Names in a checkpoint of what is outside of attention and feed-forward layers. */
export const STREAM_WEIGHTS = {
  'embed.weight': 'model.embed_tokens.weight',
  'blocks.*.attn.norm.weight': 'model.layers.*.input_layernorm.weight',
  'blocks.*.mlp.norm.weight': 'model.layers.*.post_attention_layernorm.weight',
  'norm.weight': 'model.norm.weight',
  'head.weight': 'lm_head.weight',
};

/** Lines of a table for parts of a block, each with a weight and perhaps a bias. */
export function linearWeights(parts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).flatMap(([ours, theirs]) => ['weight', 'bias'].map((kind) => [`blocks.*.${ours}.${kind}`, `model.layers.*.${theirs}.${kind}`])));
}

/** Names in a checkpoint of a stack with projections of their own to queries, keys, values, gate and up. */
export const DECODER_WEIGHTS: Readonly<Record<string, string>> = {
  ...STREAM_WEIGHTS,
  ...linearWeights({
    'attn.q': 'self_attn.q_proj',
    'attn.k': 'self_attn.k_proj',
    'attn.v': 'self_attn.v_proj',
    'attn.o': 'self_attn.o_proj',
    'mlp.gate': 'mlp.gate_proj',
    'mlp.up': 'mlp.up_proj',
    'mlp.down': 'mlp.down_proj',
  }),
};

/** Norms of each head's queries and keys. */
export const HEAD_NORM_WEIGHTS = {
  'blocks.*.attn.qNorm.weight': 'model.layers.*.self_attn.q_norm.weight',
  'blocks.*.attn.kNorm.weight': 'model.layers.*.self_attn.k_norm.weight',
};

/** Experts and their router. */
export const EXPERT_WEIGHTS = {
  'blocks.*.mlp.router.weight': 'model.layers.*.mlp.gate.weight',
  'blocks.*.mlp.experts.*.gate.weight': 'model.layers.*.mlp.experts.*.gate_proj.weight',
  'blocks.*.mlp.experts.*.up.weight': 'model.layers.*.mlp.experts.*.up_proj.weight',
  'blocks.*.mlp.experts.*.down.weight': 'model.layers.*.mlp.experts.*.down_proj.weight',
};

/** Rotary frequencies, which older checkpoints hold. */
export const ROTARY_TENSORS = /rotary_emb\.inv_freq$/;

/** Sizes of the smallest model that shows grouped heads and several layers. */
export const TINY_DECODER = {
  vocab_size: 61,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  initializer_range: 0.02,
  tie_word_embeddings: false,
  hidden_act: 'silu',
} as const;
