// Phi-3, Phi-3.5 and Phi-4-mini: Abdin et al. 2024, arXiv 2404.14219; 2025, arXiv 2503.01743. Llama, but
// - one matrix projects to queries, keys and values, one to gate and up;
// - only the first `partial_rotary_factor` of a head's channels turn (Phi-4-mini: three quarters);
// - long contexts by LongRoPE (arXiv 2402.13753): which of its two lists of divisors holds depends on the longest sequence
//   that a run allows, as in vLLM and llama.cpp. transformers goes by the tokens that are there so far, and computes its
//   cache anew when they pass `original_max_position_embeddings`; where a run allows no more than that, both are the same;
// - attention looks back over `sliding_window` tokens, where one is set.

import { z } from 'zod';
import { decoder, fusedGatedMlp, linear, mergeHeads, rotary, splitHeads, splitWidths, type Context, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { checkDecoder, DECODER_FIELDS, decoderDims, decoderOptions, linearWeights, ROTARY_TENSORS, STREAM_WEIGHTS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, type Family } from './family.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({
  ...DECODER_FIELDS,
  max_position_embeddings: COUNT.default(4096),
  original_max_position_embeddings: COUNT.default(4096),
  rms_norm_eps: z.number().positive().default(1e-5),
  partial_rotary_factor: z.number().positive().max(1).default(1),
  sliding_window: COUNT.nullish(),
});

export type Phi3Config = Readonly<z.infer<typeof schema>>;

/** Channels of a head that turn. */
export function turnedChannels(c: Pick<Phi3Config, 'partial_rotary_factor'>, headSize: number): number {
  return Math.floor(headSize * c.partial_rotary_factor);
}

type Fields = Record<string, unknown>;

/** Both lengths stand outside of `rope_scaling`, and its older names are `su` and, by mistake, `yarn`. */
function upgrade(raw: Readonly<Fields>): Fields {
  const given = (raw.rope_parameters ?? raw.rope_scaling ?? {}) as Fields, { partial_rotary_factor: partial, ...numbers } = given;
  const plain = typeof given !== 'object' || Array.isArray(given) ? raw : { ...raw, rope_parameters: numbers };
  const upgraded = upgradeRope(plain), scaling = upgraded.rope_scaling as Fields | null, kind = scaling?.rope_type;
  if (partial !== undefined) upgraded.partial_rotary_factor = partial;
  if (kind !== 'su' && kind !== 'yarn' && kind !== 'longrope') return upgraded;
  const trained = raw.original_max_position_embeddings ?? scaling!.original_max_position_embeddings ?? 4096;
  return { ...upgraded, original_max_position_embeddings: trained, rope_scaling: { ...scaling, rope_type: 'longrope', original_max_position_embeddings: trained } };
}

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: Phi3Config): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: false, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize: turnedChannels(c, headSize), maxPositions, scaling: scalingOf(c.rope_scaling) });
  const widths = [nHeads, nKvHeads, nKvHeads].map((heads) => heads * headSize), wide = widths.reduce((a, b) => a + b);
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const [q, k, v] = splitWidths(ctx, linear(ctx, x, 'qkv', wide, options), widths) as [Tensor, Tensor, Tensor]; // [N, H·D], [N, KV·D] twice
      const keys = turn(splitHeads(ctx, k, nKvHeads)), values = splitHeads(ctx, v, nKvHeads); // [N, KV, D]
      const mixed = ctx.attend(layer, turn(splitHeads(ctx, q, nHeads)), keys, values, { scale: 1 / Math.sqrt(headSize), window: c.sliding_window ?? 0, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => fusedGatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }),
  });
}

const phi3: Family<Phi3Config> = {
  modelType: 'phi3',
  schema,
  tiny: {
    ...TINY_DECODER,
    partial_rotary_factor: 0.5,
    original_max_position_embeddings: 1,
    rope_scaling: { rope_type: 'longrope', short_factor: [1, 1.5], long_factor: [1.25, 4], original_max_position_embeddings: 1, attention_factor: 1.2 },
    sliding_window: 6,
  },
  written: { architectures: ['Phi3ForCausalLM'], attention_dropout: 0, embd_pdrop: 0, resid_pdrop: 0, pad_token_id: null },
  prefix: 'model.',
  weights: {
    ...STREAM_WEIGHTS,
    ...linearWeights({ 'attn.qkv': 'self_attn.qkv_proj', 'attn.o': 'self_attn.o_proj', 'mlp.gateUp': 'mlp.gate_up_proj', 'mlp.down': 'mlp.down_proj' }),
  },
  ignored: ROTARY_TENSORS,
  upgrade,
  check: (c) => checkDecoder(c, turnedChannels(c, decoderDims(c).headSize)),
  dims: decoderDims,
  build,
};
export default phi3;
