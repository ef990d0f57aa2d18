// Llama: Touvron et al. 2023, arXiv 2302.13971 (section 2.2); grouped-query attention as in Llama 2, arXiv 2307.09288;
// tied embeddings and scaled rotary frequencies as in Llama 3, arXiv 2407.21783.
// A Transformer decoder with
// - RMSNorm before each layer and none after;
// - rotary positions, the two halves of a head's channels being the pairs (Hugging Face's layout, not Meta's);
// - key and value heads shared by groups of query heads;
// - SwiGLU feed-forward layers; no biases as published, but either kind of layer may have them; no dropout.
// All weights start as N(0, initializer_range²).

import { z } from 'zod';
import { decoder, gatedMlp, linear, mergeHeads, projectHeads, rotary, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import type { Family } from './family.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({ ...DECODER_FIELDS, attention_bias: z.boolean().default(false), mlp_bias: z.boolean().default(false) });

export type LlamaConfig = Readonly<z.infer<typeof schema>>;

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: LlamaConfig): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) });
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(projectHeads(ctx, x, 'q', { nHeads, headSize, ...options })); // [N, H, D]
      const k = turn(projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options })); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: 0, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: c.mlp_bias, std, outStd: std }),
  });
}

const llama: Family<LlamaConfig> = {
  modelType: 'llama',
  schema,
  tiny: { ...TINY_DECODER, attention_bias: false, mlp_bias: false },
  written: { architectures: ['LlamaForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: DECODER_WEIGHTS,
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: checkDecoder,
  dims: decoderDims,
  build,
};
export default llama;
