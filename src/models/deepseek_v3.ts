// DeepSeek-V3: DeepSeek-AI 2024, arXiv 2412.19437, section 2.1. Llama, but
// - attention by way of latents (MLA, eq. 1–11): keys and values of all heads come from one vector of `kv_lora_rank`
//   channels a token, queries from one of `q_lora_rank` or directly; both vectors are normed;
// - only `qk_rope_head_dim` channels of a head turn, neighbours being the pairs, and all heads share those of the key;
//   a head of values has a size of its own; a YaRN context changes the scale of the scores too (`mscale_all_dim`);
// - from layer `first_k_dense_replace` on feed-forward layers are experts that every token uses (one of
//   `n_shared_experts` times the width) and experts that it chooses (eq. 12–16): the sigmoid of the router's scores weighs
//   them, and with a correction that is no part of the weights chooses them, within the best `topk_group` of `n_group`.
// The correction is moved by a rule of its own in training, not by a gradient, and stays as it is here. The cache holds
// whole keys and values, not the latent vectors. Layers that predict further tokens (MTP) are left out, as by transformers.

import { z } from 'zod';
import { decoder, expertMlp, gatedMlp, linear, mergeHeads, projectHeads, rmsNorm, rotary, routerLogits, splitHeads, splitWidths, swapChannels, yarnMagnitude, type Context, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, EXPERT_WEIGHTS, linearWeights, TINY_DECODER } from './decoder-config.ts';
import { atMost, COUNT, mustDivide, type Family, type Impossible } from './family.ts';
import { checkScaling, scalingOf, upgradeRope } from './rotary-config.ts';

// `head_dim` is that of the channels that turn, in files of transformers 5.
const { head_dim: _, ...fields } = DECODER_FIELDS, { head_dim: _own, ...tiny } = TINY_DECODER;
const schema = z.object({
  ...fields,
  max_position_embeddings: COUNT.default(4096),
  attention_bias: z.boolean().default(false),
  q_lora_rank: COUNT.nullable().default(1536),
  kv_lora_rank: COUNT.default(512),
  qk_nope_head_dim: COUNT.default(128),
  qk_rope_head_dim: COUNT.default(64),
  v_head_dim: COUNT.default(128),
  rope_interleave: z.boolean().default(true),
  moe_intermediate_size: COUNT.default(2048),
  n_routed_experts: COUNT.max(4096).default(256),
  n_shared_experts: COUNT.default(1),
  num_experts_per_tok: COUNT.default(8),
  n_group: COUNT.default(8),
  topk_group: COUNT.default(4),
  norm_topk_prob: z.boolean().default(true),
  routed_scaling_factor: z.number().positive().default(2.5),
  first_k_dense_replace: z.int().nonnegative().default(3),
  moe_layer_freq: z.literal(1).default(1),
  scoring_func: z.literal('sigmoid').default('sigmoid'),
  topk_method: z.literal('noaux_tc').default('noaux_tc'),
});

export type DeepseekV3Config = Readonly<z.infer<typeof schema>>;

/** Of the norms of latents: no field of the configuration. */
const LATENT_EPS = 1e-6;

const dims = (c: DeepseekV3Config) => ({
  ...decoderDims(c),
  headSize: c.qk_nope_head_dim + c.qk_rope_head_dim,
  experts: { all: c.n_routed_experts, used: c.num_experts_per_tok },
});

// N tokens, C hidden_size, H heads, D head size, P channels of it that do not turn, R that do, V of a value's, E experts
function build(ctx: Context, c: DeepseekV3Config): Traced {
  const { maxPositions } = dims(c), std = c.initializer_range;
  const turn = rotary(ctx, { theta: c.rope_theta, headSize: c.qk_rope_head_dim, maxPositions, scaling: scalingOf(c.rope_scaling), interleaved: c.rope_interleave });
  return decoder(ctx, decoderOptions(c), {
    attention: (layer, x) => attention(ctx, c, layer, x, turn),
    mlp: (layer, x) => (layer < c.first_k_dense_replace ? gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }) : experts(ctx, c, x)),
  });
}

function attention(ctx: Context, c: DeepseekV3Config, layer: number, x: Tensor, turn: (x: Tensor) => Tensor): Tensor {
  const { b } = ctx, { nEmbd, nHeads, headSize } = dims(c), std = c.initializer_range, free = { bias: false, std }, biased = { bias: c.attention_bias, std };
  const { qk_nope_head_dim: fixed, qk_rope_head_dim: turning, v_head_dim: valueSize } = c, heads = { nHeads, ...free };
  const q = c.q_lora_rank === null
    ? projectHeads(ctx, x, 'q', { headSize, ...heads })
    : projectHeads(ctx, rmsNorm(ctx, linear(ctx, x, 'qDown', c.q_lora_rank, biased), 'qNorm', LATENT_EPS), 'qUp', { headSize, ...heads }); // [N, H, P+R]
  const [latent, shared] = splitWidths(ctx, linear(ctx, x, 'kvDown', c.kv_lora_rank + turning, biased), [c.kv_lora_rank, turning]) as [Tensor, Tensor];
  const kv = projectHeads(ctx, rmsNorm(ctx, latent, 'kvNorm', LATENT_EPS), 'kvUp', { headSize: fixed + valueSize, ...heads }); // [N, H, P+V]
  const swap = (t: Tensor): Tensor => swapChannels(ctx, t);
  const [kFixed, v] = splitWidths(ctx, swap(kv), [fixed, valueSize]) as [Tensor, Tensor]; // [N, P, H], [N, V, H]
  const [qFixed, qTurning] = splitWidths(ctx, swap(q), [fixed, turning]) as [Tensor, Tensor]; // [N, P, H], [N, R, H]
  const kTurned = b.broadcast(b.reshape(turn(splitHeads(ctx, shared, 1)), [x.shape[0]!, turning, 1]), qTurning.shape); // [N, R, H]
  const whole = (first: Tensor, second: Tensor): Tensor => swap(b.one('concat', { axis: 1 }, [first, second])); // [N, H, P+R]
  const attrs = { scale: scoreScale(c, headSize), window: 0, softcap: 0 };
  const mixed = ctx.attend(layer, whole(qFixed, swap(turn(swap(qTurning)))), whole(kFixed, kTurned), swap(v), attrs); // [N, H, V]
  return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, biased); // [N, C]
}

/** 1/√D, times the square of what YaRN makes of queries and keys that it does not turn. */
function scoreScale({ rope_scaling: scaling }: DeepseekV3Config, headSize: number): number {
  const all = scaling?.rope_type === 'yarn' ? scaling.mscale_all_dim : undefined;
  return (all ? yarnMagnitude((scaling as { factor: number }).factor, all) ** 2 : 1) / Math.sqrt(headSize);
}

function experts(ctx: Context, c: DeepseekV3Config, x: Tensor): Tensor {
  const { b } = ctx, std = c.initializer_range;
  const scores = b.call('sigmoid', routerLogits(ctx, x, c.n_routed_experts, std)); // [N, E]
  const correction = b.within('router', () => ctx.parameter('correction', [c.n_routed_experts], { kind: 'zeros' }));
  const chosen = expertMlp(ctx, x, scores, b.call('add', scores, correction), {
    nExperts: c.n_routed_experts,
    nUsed: c.num_experts_per_tok,
    nInner: c.moe_intermediate_size,
    std,
    nGroups: c.n_group,
    topGroups: c.topk_group,
    normalised: c.norm_topk_prob,
    scale: c.routed_scaling_factor,
  }); // [N, C]
  return b.call('add', chosen, b.within('shared', () => gatedMlp(ctx, x, { nInner: c.moe_intermediate_size * c.n_shared_experts, bias: false, std, outStd: std })));
}

function check(c: DeepseekV3Config): Impossible | undefined {
  const { nHeads, nKvHeads } = dims(c), turning = c.qk_rope_head_dim;
  if (nKvHeads !== nHeads) return { key: 'num_key_value_heads', why: `num_key_value_heads ${nKvHeads} must be num_attention_heads ${nHeads}: each head has keys of its own` };
  if (turning % 2 !== 0) return { key: 'qk_rope_head_dim', why: `qk_rope_head_dim ${turning} must be even, since rotary positions turn pairs of channels` };
  return checkScaling(c.rope_scaling, turning) ?? mustDivide('n_routed_experts', c.n_routed_experts, 'n_group', c.n_group) ?? atMost('topk_group', c.topk_group, 'n_group', c.n_group)
    ?? atMost('num_experts_per_tok', c.num_experts_per_tok, 'the experts of topk_group groups,', c.topk_group * (c.n_routed_experts / c.n_group));
}

const deepseekV3: Family<DeepseekV3Config> = {
  modelType: 'deepseek_v3',
  schema,
  tiny: {
    ...tiny,
    num_key_value_heads: 4,
    attention_bias: false,
    q_lora_rank: 10,
    kv_lora_rank: 12,
    qk_nope_head_dim: 6,
    qk_rope_head_dim: 4,
    v_head_dim: 5,
    rope_interleave: true,
    moe_intermediate_size: 8,
    n_routed_experts: 6,
    n_shared_experts: 1,
    num_experts_per_tok: 2,
    n_group: 3,
    topk_group: 2,
    norm_topk_prob: true,
    routed_scaling_factor: 2.5,
    first_k_dense_replace: 1,
    moe_layer_freq: 1,
    scoring_func: 'sigmoid',
    topk_method: 'noaux_tc',
  },
  written: { architectures: ['DeepseekV3ForCausalLM'], attention_dropout: 0, num_nextn_predict_layers: 0 },
  reals: ['routed_scaling_factor'],
  prefix: 'model.',
  weights: {
    ...DECODER_WEIGHTS,
    ...EXPERT_WEIGHTS,
    ...linearWeights({
      'attn.qDown': 'self_attn.q_a_proj',
      'attn.qUp': 'self_attn.q_b_proj',
      'attn.kvDown': 'self_attn.kv_a_proj_with_mqa',
      'attn.kvUp': 'self_attn.kv_b_proj',
      'mlp.shared.gate': 'mlp.shared_experts.gate_proj',
      'mlp.shared.up': 'mlp.shared_experts.up_proj',
      'mlp.shared.down': 'mlp.shared_experts.down_proj',
    }),
    'blocks.*.attn.qNorm.weight': 'model.layers.*.self_attn.q_a_layernorm.weight',
    'blocks.*.attn.kvNorm.weight': 'model.layers.*.self_attn.kv_a_layernorm.weight',
    'blocks.*.mlp.router.correction': 'model.layers.*.mlp.gate.e_score_correction_bias',
  },
  ignored: /rotary_emb\.inv_freq$|^model\.layers\.61\./, // the published model has 61 layers, and MTP's after them
  upgrade: upgradeRope,
  check,
  dims,
  build,
};
export default deepseekV3;
