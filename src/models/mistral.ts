// Mistral: Jiang et al. 2023, arXiv 2310.06825. Llama, but
// - every layer looks back over `sliding_window` tokens only, where one is set (section 2; later models have none).

import { z } from 'zod';
import { decoder, gatedMlp, linear, mergeHeads, projectHeads, rotary, type Context, type Traced } from '../nn/index.ts';
import { checkDecoder, DECODER_FIELDS, DECODER_WEIGHTS, decoderDims, decoderOptions, ROTARY_TENSORS, TINY_DECODER } from './decoder-config.ts';
import { COUNT, type Family } from './family.ts';
import { scalingOf, upgradeRope } from './rotary-config.ts';

const schema = z.object({
  ...DECODER_FIELDS,
  max_position_embeddings: COUNT.default(131072),
  sliding_window: COUNT.nullable().default(4096), // transformers' default, which files may count on
});

export type MistralConfig = Readonly<z.infer<typeof schema>>;

// N tokens, C hidden_size, H heads, KV key heads, D head size
function build(ctx: Context, c: MistralConfig): Traced {
  const { nEmbd, nHeads, nKvHeads, headSize, maxPositions } = decoderDims(c), std = c.initializer_range, options = { bias: false, std };
  const turn = rotary(ctx, { theta: c.rope_theta, headSize, maxPositions, scaling: scalingOf(c.rope_scaling) });
  return decoder(ctx, decoderOptions(c), {
    attention(layer, x) {
      const q = turn(projectHeads(ctx, x, 'q', { nHeads, headSize, ...options })); // [N, H, D]
      const k = turn(projectHeads(ctx, x, 'k', { nHeads: nKvHeads, headSize, ...options })); // [N, KV, D]
      const v = projectHeads(ctx, x, 'v', { nHeads: nKvHeads, headSize, ...options }); // [N, KV, D]
      const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(headSize), window: c.sliding_window ?? 0, softcap: 0 }); // [N, H, D]
      return linear(ctx, mergeHeads(ctx, mixed), 'o', nEmbd, options); // [N, C]
    },
    mlp: (_layer, x) => gatedMlp(ctx, x, { nInner: c.intermediate_size, bias: false, std, outStd: std }),
  });
}

const mistral: Family<MistralConfig> = {
  modelType: 'mistral',
  schema,
  tiny: { ...TINY_DECODER, sliding_window: 4 },
  written: { architectures: ['MistralForCausalLM'], attention_dropout: 0 },
  prefix: 'model.',
  weights: DECODER_WEIGHTS,
  ignored: ROTARY_TENSORS,
  upgrade: upgradeRope,
  check: checkDecoder,
  dims: decoderDims,
  build,
};
export default mistral;
