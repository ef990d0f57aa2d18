// Qwen 3 with experts: Yang et al. 2025, arXiv 2505.09388, section 2. `qwen3`, but
// - feed-forward layers are experts, of which a token uses `num_experts_per_tok`, chosen and weighted by a softmax over
//   all of them; `norm_topk_prob` divides the weights by their sum;
// - every layer whose number (from 1) is no multiple of `decoder_sparse_step`, and those in `mlp_only_layers` (from 0), are
//   dense;
// - where `use_sliding_window` says so, all layers look back over a window.
// The load balancing loss of its training is no part of the model here.

import { z } from 'zod';
import { decoder, expertMlp, gatedMlp, linear, mergeHeads, projectHeads, rmsNorm, rotary, routerLogits, softmax, type Context, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, EXPERT_WEIGHTS, HEAD_NORM_WEIGHTS, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import { atMost, COUNT, type Family } from './family.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({
  ...DECODER_FIELDS,
  max_position_embeddings: COUNT.default(32768),
  attention_bias: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  sliding_window: COUNT.nullish(),
  moe_intermediate_size: COUNT.default(768),
  num_experts: COUNT.max(4096).default(128),
  num_experts_per_tok: COUNT.default(8),
  norm_topk_prob: z.boolean().default(false),
  decoder_sparse_step: COUNT.default(1),
  mlp_only_layers: z.array(z.int().nonnegative()).default([]),
});

export type Qwen3MoeConfig = Readonly<z.infer<typeof schema>>;

const isDense = (c: Qwen3MoeConfig, layer: number): boolean => c.mlp_only_layers.includes(layer) || (layer + 1) % c.decoder_sparse_step !== 0;

// N tokens, C hidden_size, H heads, KV key heads, D head size, E experts
function build(ctx: Context, c: Qwen3MoeConfig): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) });
  const window = c.use_sliding_window ? c.sliding_window ?? 0 : 0;
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(rmsNorm(ctx, projectHeads(ctx, x, 'q', { nHeads, headSize, ...options }), 'qNorm', c.rms_norm_eps)); // [N, H, D]
      const k = turn(rmsNorm(ctx, projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options }), 'kNorm', c.rms_norm_eps)); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (layer, x) => (isDense(c, layer) ? gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }) : experts(ctx, c, x)),
  });
}

function experts(ctx: Context, c: Qwen3MoeConfig, x: Tensor): Tensor {
  const scores = softmax(ctx, routerLogits(ctx, x, c.num_experts, c.initializer_range)); // [N, E]
  const options = { nExperts: c.num_experts, nUsed: c.num_experts_per_tok, nInner: c.moe_intermediate_size, std: c.initializer_range, normalised: c.norm_topk_prob };
  return expertMlp(ctx, x, scores, scores, options); // [N, C]
}

/** transformers 5 may say `num_local_experts`; no list of dense layers is an empty one. */
function upgrade(raw: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { num_local_experts: local, mlp_only_layers: dense, ...rest } = upgradeRope(raw);
  return { ...rest, ...(local === undefined ? {} : { num_experts: local }), ...(dense == null ? {} : { mlp_only_layers: dense }) };
}

const qwen3Moe: Family<Qwen3MoeConfig> = {
  modelType: 'qwen3_moe',
  schema,
  tiny: {
    ...TINY_DECODER,
    attention_bias: false,
    use_sliding_window: false,
    sliding_window: null,
    moe_intermediate_size: 12,
    num_experts: 5,
    num_experts_per_tok: 2,
    norm_topk_prob: true,
    decoder_sparse_step: 1,
    mlp_only_layers: [0],
  },
  written: { architectures: ['Qwen3MoeForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: { ...DECODER_WEIGHTS, ...HEAD_NORM_WEIGHTS, ...EXPERT_WEIGHTS },
  ignored: ROTARY_TENSORS,
  upgrade,
  check: (c) => checkDecoder(c) ?? atMost('num_experts_per_tok', c.num_experts_per_tok, 'num_experts', c.num_experts),
  dims: (c) => ({ ...decoderDims(c), experts: { all: c.num_experts, used: c.num_experts_per_tok } }),
  build,
};
export default qwen3Moe;
