// Qwen 2 and 2.5: Yang et al. 2024, arXiv 2407.10671 and 2412.15115. Llama, but
// - queries, keys and values have biases, the output of attention has none;
// - layers from `max_window_layers` on look back over `sliding_window` tokens, where `use_sliding_window` says so.

import { z } from 'zod';
import { decoder, gatedMlp, linear, mergeHeads, projectHeads, rotary, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, type Family } from './family.ts';
import { checkWindows, qwenWindows, WINDOW_FIELDS } from './layer-windows.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({ ...DECODER_FIELDS, max_position_embeddings: COUNT.default(32768), ...WINDOW_FIELDS });

export type Qwen2Config = Readonly<z.infer<typeof schema>>;

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: Qwen2Config): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: true, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) }), windows = qwenWindows(c);
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(projectHeads(ctx, x, 'q', { nHeads, headSize, ...options })); // [N, H, D]
      const k = turn(projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options })); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: windows[layer]!, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, { bias: false, std }); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }),
  });
}

const qwen2: Family<Qwen2Config> = {
  modelType: 'qwen2',
  schema,
  tiny: { ...TINY_DECODER, use_sliding_window: true, sliding_window: 4, max_window_layers: 1, layer_types: null },
  written: { architectures: ['Qwen2ForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: DECODER_WEIGHTS,
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: (c) => checkDecoder(c) ?? checkWindows(c),
  dims: decoderDims,
  build,
};
export default qwen2;
