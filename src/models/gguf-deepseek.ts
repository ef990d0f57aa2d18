// The GGUF form of deepseek_v3, `deepseek2` there. Layer: models. See llama.cpp, src/models/deepseek2.cpp.
// - Written: keys and values of all heads from one matrix (attn_kv_b), with whole keys and values in the cache, as here.
//   Read too: that matrix as two, [head, latent, key] and [head, value, latent] (attn_k_b, attn_v_b), which llama.cpp
//   multiplies into queries and outputs so that its cache holds latents.
// - Leading layers without experts, experts that every token uses, and a correction of the scores that choose.

import { sizeOf, type State } from '../core/index.ts';
import { ropeMagnitude, yarnMagnitude } from '../nn/index.ts';
import type { DeepseekV3Config } from './deepseek_v3.ts';
import type { ModelDims } from './family.ts';
import { blockTensors, decoderEntries, firstOf, ropeOf, sizeFields, STREAM_TENSORS } from './gguf-decoder.ts';
import { countExperts, EXPERT_TENSORS } from './gguf-experts.ts';
import { real, shortest, whole, type GgufFields } from './gguf-fields.ts';
import type { GgufForm, JoinedTensor } from './gguf-form.ts';
import { ROPE_TENSORS } from './gguf-rope.ts';
import type { GgufEntry } from './gguf-write.ts';

const key = (name: string): string => `deepseek2.${name}`;

/** Sigmoid, of llama.cpp's functions that weigh experts. */
const SIGMOID = 2;

/** Layers and tokens by which llama.cpp knows "lite" models, whose queries have no latents, whatever the file says. */
const isLite = (nLayers: number, vocabSize: number): boolean => nLayers === 26 || nLayers === 27 || (nLayers === 48 && vocabSize === 128256);

/**
 * YaRN as llama.cpp's deepseek2 reads it: with `attn_factor` a and the multiplier m, queries and keys turn times a, and scores
 * are scaled by (a·(1 + 0.1·m·ln factor))². Here the first is `ropeMagnitude`, the second the square of `all`.
 */
function yarnEntries(c: DeepseekV3Config): GgufEntry[] {
  const scaling = c.rope_scaling;
  if (scaling?.rope_type !== 'yarn') return [];
  const turned = ropeMagnitude({ scaling }), all = scaling.mscale_all_dim ? yarnMagnitude(scaling.factor, scaling.mscale_all_dim) : 1;
  const multiplier = (all / turned - 1) / (0.1 * Math.log(scaling.factor));
  return [real(key('rope.scaling.attn_factor'), turned), real(key('rope.scaling.yarn_log_multiplier'), 0.1 * multiplier)]; // a tenth of it, as their converter writes it
}

/** `rope_scaling` of config.json. */
function readYarn(fields: GgufFields): Record<string, unknown> | null {
  const named = (name: string): string => key(`rope.scaling.${name}`), kind = fields.string(named('type')) ?? 'none';
  if (kind === 'none') return null;
  if (kind !== 'yarn') throw fields.error(`"${named('type')}" is "${kind}"; supported for deepseek2 are none and yarn`);
  const factor = fields.needed(named('factor')), given = fields.number(named('attn_factor')) ?? 1, tenth = fields.number(named('yarn_log_multiplier')) ?? 0;
  const turned = tenth === 0 ? given * yarnMagnitude(factor) : given, multiplier = tenth * 10;
  const all = factor <= 1 ? 0 : (turned * (tenth === 0 ? 1 : yarnMagnitude(factor, multiplier)) - 1) / (0.1 * Math.log(factor)), shortAll = shortest(Math.fround(all));
  const optional = { original_max_position_embeddings: fields.number(named('original_context_length')), beta_fast: fields.number(named('yarn_beta_fast')), beta_slow: fields.number(named('yarn_beta_slow')) };
  return {
    rope_type: 'yarn',
    factor,
    ...(turned === 1 && shortAll > 0 ? { mscale: shortAll } : { attention_factor: turned }),
    ...(Math.abs(all) < 1e-6 ? {} : { mscale_all_dim: shortAll }),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

/** Sizes of heads: of those that attention compares if the file keeps latents, else of the heads in it. */
function headSizes(fields: GgufFields): { readonly keys: number; readonly values: number; readonly turning: number } {
  const size = (name: string): number => fields.number(key(`attention.${name}_mla`)) ?? fields.needed(key(`attention.${name}`));
  return { keys: size('key_length'), values: size('value_length'), turning: fields.needed(key('rope.dimension_count')) };
}

/** attn_k_b and attn_v_b as the rows of one matrix: of each head first the keys', turned over, then the values'. */
function joined({ id, meta }: State, { nHeads }: ModelDims, c: DeepseekV3Config): JoinedTensor | undefined {
  if (!id.endsWith('.attn.kvUp.weight')) return undefined;
  const layer = id.split('.')[1]!, keySize = c.qk_nope_head_dim, valueSize = c.v_head_dim, latent = meta.shape[1] as number;
  return {
    parts: [{ name: `blk.${layer}.attn_k_b.weight`, shape: [nHeads, latent, keySize] }, { name: `blk.${layer}.attn_v_b.weight`, shape: [nHeads, valueSize, latent] }],
    join([keys, values], out = new Float32Array(sizeOf(meta.shape as number[]))) {
      for (let head = 0; head < nHeads; head++) {
        const to = head * (keySize + valueSize) * latent, from = head * latent * keySize;
        for (let i = 0; i < keySize; i++) { for (let j = 0; j < latent; j++) out[to + i * latent + j] = keys![from + j * keySize + i]!; }
        out.set(values!.subarray(head * valueSize * latent, (head + 1) * valueSize * latent), to + keySize * latent);
      }
      return out;
    },
  };
}

export const deepseek2: GgufForm<DeepseekV3Config> = {
  architecture: 'deepseek2',
  weights: {
    ...STREAM_TENSORS,
    ...EXPERT_TENSORS,
    ...blockTensors({
      'attn.q': 'attn_q',
      'attn.qDown': 'attn_q_a',
      'attn.qNorm': 'attn_q_a_norm',
      'attn.qUp': 'attn_q_b',
      'attn.kvDown': 'attn_kv_a_mqa',
      'attn.kvNorm': 'attn_kv_a_norm',
      'attn.kvUp': 'attn_kv_b',
      'attn.o': 'attn_output',
      'mlp.gate': 'ffn_gate',
      'mlp.up': 'ffn_up',
      'mlp.down': 'ffn_down',
      'mlp.shared.gate': 'ffn_gate_shexp',
      'mlp.shared.up': 'ffn_up_shexp',
      'mlp.shared.down': 'ffn_down_shexp',
    }, ['weight']),
    'blocks.*.mlp.router.correction': 'blk.*.exp_probs_b.bias',
  },
  ignored: ROPE_TENSORS,
  pairedHeads: () => undefined,
  joined,
  cannot: (c) =>
    firstOf(
      c.attention_bias && 'its attention has biases',
      !c.rope_interleave && 'it turns the halves of its channels, not neighbours',
      c.rope_scaling != null && c.rope_scaling.rope_type !== 'yarn' && `its rotary scaling is ${c.rope_scaling.rope_type}, which llama.cpp does not compute for this architecture`,
      c.q_lora_rank !== null && isLite(c.num_hidden_layers, c.vocab_size) && `llama.cpp takes ${c.num_hidden_layers} layers for a model whose queries have no latents`,
      c.n_group > 1 && c.n_routed_experts / c.n_group < 2 && 'its groups of experts have one each',
    ),
  note: (c) => (c.rms_norm_eps === 1e-6 ? undefined : `llama.cpp norms latents with rms_norm_eps, ${c.rms_norm_eps}, instead of 1e-6`),
  entries: (c, dims) => {
    const rope = ropeOf(c, dims, c.qk_rope_head_dim), own = new Set([key('attention.value_length'), key('rope.scaling.attn_factor')]);
    return [
      ...decoderEntries('deepseek2', c, dims, rope).filter((entry) => !own.has(entry.key)),
      ...yarnEntries(c),
      whole(key('attention.value_length'), c.v_head_dim),
      whole(key('attention.q_lora_rank'), c.q_lora_rank ?? 0),
      whole(key('attention.kv_lora_rank'), c.kv_lora_rank),
      whole(key('leading_dense_block_count'), c.first_k_dense_replace),
      whole(key('expert_count'), c.n_routed_experts),
      whole(key('expert_used_count'), c.num_experts_per_tok),
      whole(key('expert_shared_count'), c.n_shared_experts),
      whole(key('expert_feed_forward_length'), c.moe_intermediate_size),
      whole(key('expert_group_count'), c.n_group),
      whole(key('expert_group_used_count'), c.topk_group),
      whole(key('expert_gating_func'), SIGMOID),
      real(key('expert_weights_scale'), c.routed_scaling_factor),
      { key: key('expert_weights_norm'), type: 'bool', value: c.norm_topk_prob },
    ];
  },
  constants: () => [],
  config(fields) {
    const { keys, values, turning } = headSizes(fields), dense = fields.number(key('leading_dense_block_count')) ?? 0, nHeads = fields.needed(key('attention.head_count')), rank = fields.number(key('attention.q_lora_rank')) ?? 0;
    fields.only(key('expert_gating_func'), SIGMOID);
    if (!fields.has(key('expert_gating_func'))) throw fields.error('its experts are weighed by a softmax, as those of DeepSeek-V2, which is not supported');
    return {
      ...sizeFields(fields),
      num_attention_heads: nHeads,
      num_key_value_heads: nHeads,
      rope_theta: fields.number(key('rope.freq_base')) ?? 10000,
      rope_scaling: readYarn(fields),
      q_lora_rank: rank === 0 ? null : rank,
      kv_lora_rank: fields.needed(key('attention.kv_lora_rank')),
      qk_nope_head_dim: keys - turning,
      qk_rope_head_dim: turning,
      v_head_dim: values,
      first_k_dense_replace: dense,
      n_routed_experts: countExperts(fields, dense),
      num_experts_per_tok: fields.needed(key('expert_used_count')),
      n_shared_experts: fields.needed(key('expert_shared_count')),
      moe_intermediate_size: fields.needed(key('expert_feed_forward_length')),
      n_group: fields.number(key('expert_group_count')) ?? 1,
      topk_group: fields.number(key('expert_group_used_count')) ?? 1,
      norm_topk_prob: fields.value(key('expert_weights_norm')) === true,
      routed_scaling_factor: fields.number(key('expert_weights_scale')) ?? 1,
    };
  },
};
