// Gemma 3, text: Gemma Team 2025, arXiv 2503.19786. Gemma 2, but
// - each head of queries and keys is normed before it is turned, and nothing is capped as published;
// - five layers of windows to one that sees all tokens, or what `layer_types` says;
// - two rules of rotary positions: `rope_local_base_freq` for windows, `rope_theta` and `rope_scaling` for the others.
// A `gemma3` model (with images) is read as this one: its text_config, and its language model's tensors.

import { z } from 'zod';
import { gatedMlp, geluGate, linear, mergeHeads, projectHeads, rmsNormFromOne, rotary, sandwichDecoder, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, decoderDims, decoderOptions, HEAD_NORM_WEIGHTS } from './decoder-config.ts';
import { COUNT, type Family } from './family.ts';
import { GEMMA_FIELDS, GEMMA_REALS, GEMMA_WEIGHTS, TINY_GEMMA } from './gemma-config.ts';
import { checkWindows, windowsOf } from './layer-windows.ts';
import { ROPE_SCALING, scalingOf, upgradedScaling } from './rotary-config.ts';

const schema = z.object({
  ...GEMMA_FIELDS,
  vocab_size: COUNT.default(262208),
  max_position_embeddings: COUNT.default(131072),
  rope_theta: z.number().positive().default(1e6),
  rope_local_base_freq: z.number().positive().default(10000),
  rope_scaling: ROPE_SCALING.nullish(),
  sliding_window_pattern: COUNT.default(6),
  attn_logit_softcapping: z.null().default(null), // which the reference does not look at
  final_logit_softcapping: z.number().positive().nullable().default(null),
});

export type Gemma3TextConfig = Readonly<z.infer<typeof schema>>;

/** Tokens back that each layer sees: a window but for every sixth. */
export function gemma3Windows(c: Gemma3TextConfig): number[] {
  return windowsOf(c, (layer) => (layer + 1) % c.sliding_window_pattern !== 0);
}

type Fields = Record<string, unknown>;

/** transformers 5 has a rule for each type of layer in `rope_parameters`; that for windows is a base and nothing else. */
function upgrade(raw: Readonly<Fields>): Fields {
  const { rope_parameters: joined, ...rest } = raw, given = joined as Fields | undefined, both = typeof given === 'object' && given !== null && ('full_attention' in given || 'sliding_attention' in given);
  const global = upgradedScaling(both ? given.full_attention : joined ?? rest.rope_scaling), local = upgradedScaling(both ? given.sliding_attention : undefined);
  return {
    ...rest,
    ...(global.theta === undefined ? {} : { rope_theta: global.theta }),
    ...(local.theta === undefined ? {} : { rope_local_base_freq: local.theta }),
    rope_scaling: local.scaling === null ? global.scaling : { rope_type: 'another rule for layers with windows' }, // for the schema to refuse
  };
}

/** Names of the language model within a model with images, as written before and since transformers 5. */
function storedName(name: string): string {
  return name.replace(/^language_model\.(model\.|lm_head\.)/, '$1').replace(/^model\.language_model\./, 'model.');
}

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: Gemma3TextConfig): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const local = rotary(ctx, { theta: c.rope_local_base_freq, headSize, maxPositions, name: 'rope.local' });
  const global = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) });
  const windows = gemma3Windows(c), turns = windows.map((window) => (window > 0 ? local : global)), scale = 1 / Math.sqrt(c.query_pre_attn_scalar);
  const traced = sandwichDecoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const turn = turns[layer]!;
      const q = turn(rmsNormFromOne(ctx, projectHeads(ctx, x, 'q', { nHeads, headSize, ...options }), 'qNorm', c.rms_norm_eps)); // [N, H, D]
      const k = turn(rmsNormFromOne(ctx, projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options }), 'kNorm', c.rms_norm_eps)); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale, window: windows[layer]!, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }, geluGate()),
  });
  return { ...traced, logitSoftcap: c.final_logit_softcapping ?? 0 };
}

const gemma3Text: Family<Gemma3TextConfig> = {
  modelType: 'gemma3_text',
  schema,
  tiny: {
    ...TINY_GEMMA,
    rope_theta: 1e6,
    rope_local_base_freq: 10000,
    rope_scaling: { rope_type: 'linear', factor: 4 },
    sliding_window_pattern: 2,
    attn_logit_softcapping: null,
    final_logit_softcapping: null,
  },
  written: { architectures: ['Gemma3ForCausalLM'], attention_dropout: 0 },
  reals: GEMMA_REALS,
  prefix: 'model.',
  weights: { ...GEMMA_WEIGHTS, ...HEAD_NORM_WEIGHTS },
  ignored: /rotary_emb\..*inv_freq$|^(model\.)?(vision_tower|multi_modal_projector)\./,
  storedName,
  upgrade,
  check: (c) => checkDecoder(c) ?? checkWindows(c),
  dims: decoderDims,
  build,
};
export default gemma3Text;
