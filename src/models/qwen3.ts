// Qwen 3, dense: Yang et al. 2025, arXiv 2505.09388, section 2. Llama, but
// - each head of queries and keys is normed before it is turned, with one weight for all heads;
// - the head size is its own, 128 where not given; all of attention may have biases (`attention_bias`);
// - windows as in Qwen 2.

import { z } from 'zod';
import { decoder, gatedMlp, linear, mergeHeads, projectHeads, rmsNorm, rotary, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, HEAD_NORM_WEIGHTS, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, type Family } from './family.ts';
import { checkWindows, qwenWindows, WINDOW_FIELDS } from './layer-windows.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({
  ...DECODER_FIELDS,
  head_dim: COUNT.default(128),
  max_position_embeddings: COUNT.default(32768),
  attention_bias: z.boolean().default(false),
  ...WINDOW_FIELDS,
});

export type Qwen3Config = Readonly<z.infer<typeof schema>>;

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: Qwen3Config): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) }), windows = qwenWindows(c);
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(rmsNorm(ctx, projectHeads(ctx, x, 'q', { nHeads, headSize, ...options }), 'qNorm', c.rms_norm_eps)); // [N, H, D]
      const k = turn(rmsNorm(ctx, projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options }), 'kNorm', c.rms_norm_eps)); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: windows[layer]!, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }),
  });
}

const qwen3: Family<Qwen3Config> = {
  modelType: 'qwen3',
  schema,
  tiny: { ...TINY_DECODER, attention_bias: false, use_sliding_window: false, sliding_window: null, max_window_layers: 2, layer_types: null },
  written: { architectures: ['Qwen3ForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: { ...DECODER_WEIGHTS, ...HEAD_NORM_WEIGHTS },
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: (c) => checkDecoder(c) ?? checkWindows(c),
  dims: decoderDims,
  build,
};
export default qwen3;
