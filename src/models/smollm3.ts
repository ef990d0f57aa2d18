// SmolLM3: Bakouch et al. 2025, https://huggingface.co/blog/smollm3. Llama, but
// - layers whose entry of `no_rope_layers` is 0 do not turn queries and keys, by default every fourth (NoPE: Yang et al.
//   2025, arXiv 2501.18795);
// - where `use_sliding_window` says so, those layers look back over a window;
// - embeddings are tied as a rule; biases may be asked for.

import { z } from 'zod';
import { decoder, gatedMlp, linear, mergeHeads, projectHeads, rotary, type Context, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, type Family, type Impossible } from './family.ts';
import { checkWindows, LAYER_TYPES, windowsOf } from './layer-windows.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({
  ...DECODER_FIELDS,
  max_position_embeddings: COUNT.default(32768),
  rope_theta: z.number().positive().default(2e6),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  no_rope_layers: z.array(z.int().min(0).max(1)).nullish(),
  no_rope_layer_interval: COUNT.default(4),
  use_sliding_window: z.boolean().default(false),
  sliding_window: COUNT.nullish(),
  layer_types: LAYER_TYPES,
});

export type SmolLm3Config = Readonly<z.infer<typeof schema>>;

/** Whether each layer turns queries and keys. */
export function turningLayers(c: SmolLm3Config): boolean[] {
  return Array.from({ length: c.num_hidden_layers }, (_, layer) => (c.no_rope_layers ? c.no_rope_layers[layer] === 1 : (layer + 1) % c.no_rope_layer_interval !== 0));
}

function checkTurning({ no_rope_layers: listed, num_hidden_layers: layers }: SmolLm3Config): Impossible | undefined {
  return listed && listed.length < layers ? { key: 'no_rope_layers', why: `no_rope_layers has ${listed.length} entries, but there are ${layers} layers` } : undefined;
}

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: SmolLm3Config): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: c.attention_bias, std };
  const rope = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) }), turning = turningLayers(c);
  const turns = turning.map((does) => (does ? rope : (x: Tensor): Tensor => x));
  const windows = windowsOf({ ...c, sliding_window: c.use_sliding_window ? c.sliding_window : null }, (layer) => !turning[layer]);
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const turn = turns[layer]!;
      const q = turn(projectHeads(ctx, x, 'q', { nHeads, headSize, ...options })); // [N, H, D]
      const k = turn(projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options })); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: windows[layer]!, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: c.mlp_bias, std, outStd: std }),
  });
}

const smollm3: Family<SmolLm3Config> = {
  modelType: 'smollm3',
  schema,
  tiny: {
    ...TINY_DECODER,
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    no_rope_layers: [1, 0],
    no_rope_layer_interval: 4,
    use_sliding_window: true,
    sliding_window: 5,
    layer_types: null,
  },
  written: { architectures: ['SmolLM3ForCausalLM'], attention_dropout: 0, pad_token_id: null },
  prefix: 'model.',
  weights: DECODER_WEIGHTS,
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: (c) => checkDecoder(c) ?? checkTurning(c) ?? checkWindows(c),
  dims: decoderDims,
  build,
};
export default smollm3;
