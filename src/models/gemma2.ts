// Gemma 2: Gemma Team 2024, arXiv 2408.00118. Differs from llama in that
// - RMSNorm stands before and after each layer, its weight counted from one; embeddings are multiplied by √C;
// - layers alternate between a window of `sliding_window` tokens (the first) and all tokens;
// - scores of attention, and the logits, are capped: cap · tanh(x / cap);
// - scores are scaled by 1/√query_pre_attn_scalar, whatever the head size;
// - feed-forward layers are gated by gelu (GeGLU); embeddings are tied.

import { z } from 'zod';
import { gatedMlp, geluGate, linear, mergeHeads, projectHeads, rotary, sandwichDecoder, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, decoderDims, decoderOptions, ROTARY_TENSORS } from './decoder-config.ts';
import type { Family } from './family.ts';
import { GEMMA_FIELDS, GEMMA_REALS, GEMMA_WEIGHTS, TINY_GEMMA } from './gemma-config.ts';
import { checkWindows, windowsOf } from './layer-windows.ts';
import { ROPE_FIELDS, scalingOf, upgradeRope } from './rotary-config.ts';

const CAP = z.number().positive().nullable();

const schema = z.object({
  ...GEMMA_FIELDS,
  ...ROPE_FIELDS,
  attn_logit_softcapping: CAP.default(50),
  final_logit_softcapping: CAP.default(30),
});

export type Gemma2Config = Readonly<z.infer<typeof schema>>;

/** Tokens back that each layer sees, the first a window. */
export function gemma2Windows(c: Gemma2Config): number[] {
  return windowsOf(c, (layer) => layer % 2 === 0);
}

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: Gemma2Config): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) });
  const windows = gemma2Windows(c), kind = { scale: 1 / Math.sqrt(c.query_pre_attn_scalar), softcap: c.attn_logit_softcapping ?? 0 };
  const traced = sandwichDecoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(projectHeads(ctx, x, 'q', { nHeads, headSize, ...options })); // [N, H, D]
      const k = turn(projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options })); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { ...kind, window: windows[layer]! }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }, geluGate()),
  });
  return { ...traced, logitSoftcap: c.final_logit_softcapping ?? 0 };
}

const gemma2: Family<Gemma2Config> = {
  modelType: 'gemma2',
  schema,
  tiny: { ...TINY_GEMMA, rope_theta: 10000, rope_scaling: null, attn_logit_softcapping: 2, final_logit_softcapping: 3 },
  written: { architectures: ['Gemma2ForCausalLM'], attention_dropout: 0 },
  reals: GEMMA_REALS,
  prefix: 'model.',
  weights: GEMMA_WEIGHTS,
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: (c) => checkDecoder(c) ?? checkWindows(c),
  dims: decoderDims,
  build,
};
export default gemma2;
