// Llama: Touvron et al. 2023, arXiv 2302.13971 (section 2.2); grouped-query attention as in Llama 2, arXiv 2307.09288;
// tied embeddings and scaled rotary frequencies as in Llama 3, arXiv 2407.21783.
// A Transformer decoder with
// - RMSNorm before each layer and none after;
// - rotary positions, the two halves of a head's channels being the pairs (Hugging Face's layout, not Meta's);
// - key and value heads shared by groups of query heads;
// - SwiGLU feed-forward layers; no biases, no dropout.
// All weights start as N(0, initializer_range²).

import { z } from 'zod';
import { embeddingTable, gatedMlp, linear, lookup, mergeHeads, rmsNorm, rotary, splitHeads, type Context, type RopeScaling, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { COUNT, LAYERS, mustDivide, type Family } from './family.ts';

const scaling = z.discriminatedUnion('rope_type', [
  z.strictObject({ rope_type: z.literal('linear'), factor: z.number().positive() }),
  z.strictObject({
    rope_type: z.literal('llama3'),
    factor: z.number().positive(),
    low_freq_factor: z.number().positive(),
    high_freq_factor: z.number().positive(),
    original_max_position_embeddings: COUNT,
  }),
]);
const schema = z.object({
  vocab_size: COUNT,
  hidden_size: COUNT,
  intermediate_size: COUNT,
  num_hidden_layers: LAYERS,
  num_attention_heads: COUNT,
  num_key_value_heads: COUNT.nullish(),
  head_dim: COUNT.nullish(),
  max_position_embeddings: COUNT.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().default(10000),
  rope_scaling: scaling.nullish(),
  initializer_range: z.number().nonnegative().default(0.02),
  tie_word_embeddings: z.boolean().default(false),
  hidden_act: z.literal('silu').default('silu'),
  attention_bias: z.literal(false).default(false),
  mlp_bias: z.literal(false).default(false),
});

export type LlamaConfig = Readonly<z.infer<typeof schema>>;

function dims(c: LlamaConfig) {
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

function check(c: LlamaConfig) {
  const { nHeads, nKvHeads, headSize } = dims(c), width = c.head_dim == null ? mustDivide('hidden_size', c.hidden_size, 'num_attention_heads', nHeads) : undefined;
  const odd = headSize % 2 === 0 ? undefined : { key: 'head_dim', why: `the head size ${headSize} must be even, since rotary positions turn pairs of channels` };
  return width ?? mustDivide('num_attention_heads', nHeads, 'num_key_value_heads', nKvHeads) ?? odd;
}

/** transformers 5 keeps both rotary fields in `rope_parameters`; older files write `type` for `rope_type`. */
function upgrade(raw: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { rope_parameters: joined, ...rest } = raw, given = joined ?? rest.rope_scaling ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) return { ...rest, rope_scaling: given }; // for the schema to refuse
  const { rope_theta: theta, type, rope_type: kind = type ?? 'default', ...numbers } = given as Record<string, unknown>;
  const plain = kind === 'default' && Object.keys(numbers).length === 0;
  return { ...rest, ...(theta === undefined ? {} : { rope_theta: theta }), rope_scaling: plain ? null : { rope_type: kind, ...numbers } };
}

// N tokens, C hidden_size, H heads, KV key heads, D head size, V vocab_size
function build(ctx: Context, c: LlamaConfig): Traced {
  const { b } = ctx, { nEmbd, headSize, maxPositions } = dims(c), std = c.initializer_range;
  const table = embeddingTable(ctx, 'embed', [c.vocab_size, nEmbd], std); // [V, C]
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: (c.rope_scaling ?? undefined) as RopeScaling | undefined });
  let x = lookup(ctx, table, ctx.tokens); // [N, C]
  for (let layer = 0; layer < c.num_hidden_layers; layer++) x = b.within(`blocks.${layer}`, () => block(ctx, c, layer, x, turn));
  const hidden = rmsNorm(ctx, x, 'norm', c.rms_norm_eps); // [N, C]
  return { hidden, head: c.tie_word_embeddings ? table : embeddingTable(ctx, 'head', [c.vocab_size, nEmbd], std) };
}

function block(ctx: Context, c: LlamaConfig, layer: number, x: Tensor, turn: (x: Tensor) => Tensor): Tensor {
  const { b } = ctx, std = c.initializer_range;
  const attended = b.call('add', x, b.within('attn', () => attention(ctx, c, layer, rmsNorm(ctx, x, 'norm', c.rms_norm_eps), turn)));
  const mlp = { nInner: c.intermediate_size, bias: false, std, outStd: std };
  return b.call('add', attended, b.within('mlp', () => gatedMlp(ctx, rmsNorm(ctx, attended, 'norm', c.rms_norm_eps), mlp)));
}

function attention(ctx: Context, c: LlamaConfig, layer: number, x: Tensor, turn: (x: Tensor) => Tensor): Tensor {
  const { nEmbd, nHeads, nKvHeads, headSize } = dims(c), options = { bias: false, std: c.initializer_range };
  const q = turn(splitHeads(ctx, linear(ctx, x, 'q', nHeads * headSize, options), nHeads)); // [N, H, D]
  const k = turn(splitHeads(ctx, linear(ctx, x, 'k', nKvHeads * headSize, options), nKvHeads)); // [N, KV, D]
  const v = splitHeads(ctx, linear(ctx, x, 'v', nKvHeads * headSize, options), nKvHeads); // [N, KV, D]
  const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: 0, softcap: 0 }); // [N, H, D]
  return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
}

const llama: Family<LlamaConfig> = {
  modelType: 'llama',
  schema,
  tiny: {
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
    attention_bias: false,
    mlp_bias: false,
  },
  written: { architectures: ['LlamaForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: {
    'embed.weight': 'model.embed_tokens.weight',
    'blocks.*.attn.norm.weight': 'model.layers.*.input_layernorm.weight',
    'blocks.*.attn.q.weight': 'model.layers.*.self_attn.q_proj.weight',
    'blocks.*.attn.k.weight': 'model.layers.*.self_attn.k_proj.weight',
    'blocks.*.attn.v.weight': 'model.layers.*.self_attn.v_proj.weight',
    'blocks.*.attn.o.weight': 'model.layers.*.self_attn.o_proj.weight',
    'blocks.*.mlp.norm.weight': 'model.layers.*.post_attention_layernorm.weight',
    'blocks.*.mlp.gate.weight': 'model.layers.*.mlp.gate_proj.weight',
    'blocks.*.mlp.up.weight': 'model.layers.*.mlp.up_proj.weight',
    'blocks.*.mlp.down.weight': 'model.layers.*.mlp.down_proj.weight',
    'norm.weight': 'model.norm.weight',
    'head.weight': 'lm_head.weight',
  },
  ignored: /rotary_emb\.inv_freq$/,
  upgrade,
  check,
  dims,
  build,
};
export default llama;
