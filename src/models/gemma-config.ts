// What the configurations of Gemma 2 and 3 have in common. Layer: models.

import { z } from 'zod';
import { DECODER_FIELDS, DECODER_WEIGHTS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, LAYERS } from './family.ts';
import { LAYER_TYPES } from './layer-windows.ts';

const { hidden_act: _silu, rope_theta: _theta, rope_scaling: _scaling, ...fields } = DECODER_FIELDS;

/** Fields but the rotary ones; the defaults are transformers', which published files count on. */
export const GEMMA_FIELDS = {
  ...fields,
  hidden_size: COUNT.default(2304),
  intermediate_size: COUNT.default(9216),
  num_hidden_layers: LAYERS.default(26),
  num_attention_heads: COUNT.default(8),
  num_key_value_heads: COUNT.default(4),
  head_dim: COUNT.default(256),
  max_position_embeddings: COUNT.default(8192),
  tie_word_embeddings: z.boolean().default(true),
  hidden_activation: z.literal('gelu_pytorch_tanh').default('gelu_pytorch_tanh'),
  attention_bias: z.boolean().default(false),
  query_pre_attn_scalar: COUNT.default(256),
  sliding_window: COUNT.nullable().default(4096),
  layer_types: LAYER_TYPES,
  use_bidirectional_attention: z.literal(false).nullish(),
};

/** `Family.reals` of both. */
export const GEMMA_REALS = ['attn_logit_softcapping', 'final_logit_softcapping'];

export const GEMMA_WEIGHTS: Readonly<Record<string, string>> = {
  ...DECODER_WEIGHTS,
  'blocks.*.attn.postNorm.weight': 'model.layers.*.post_attention_layernorm.weight',
  'blocks.*.mlp.norm.weight': 'model.layers.*.pre_feedforward_layernorm.weight',
  'blocks.*.mlp.postNorm.weight': 'model.layers.*.post_feedforward_layernorm.weight',
};

const { hidden_act: _act, rope_theta: _base, rope_scaling: _rule, ...tiny } = TINY_DECODER;

export const TINY_GEMMA = {
  ...tiny,
  tie_word_embeddings: true,
  hidden_activation: 'gelu_pytorch_tanh',
  attention_bias: false,
  query_pre_attn_scalar: 12,
  sliding_window: 4,
  layer_types: null,
  use_bidirectional_attention: false,
} as const;
