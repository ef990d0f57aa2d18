// GPT-2: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3.
// A Transformer decoder; against `llama` it has
// - learned positions, added to the token embeddings;
// - LayerNorm with biases, before each layer and after the last;
// - one projection for queries, keys and values, all heads having keys of their own;
// - a feed-forward layer with tanh-GELU, four times as wide; biases everywhere;
// - tied embeddings;
// - weights that start as N(0, initializer_range²), those of projections into the residual stream divided by √(2·n_layer).
// Positions start as the rest does (as in Hugging Face's and nanoGPT's code; OpenAI's has 0.01 there).
//
// `bias: false` (nanoGPT's word; no field of other readers) leaves all biases out. Such a model is saved with zero biases:
// the same function in every reader of GPT-2 files, this field only keeping further training here from adding them.

import { z } from 'zod';
import { embeddingTable, geluMlp, layerNorm, linear, lookup, mergeHeads, splitChannels, splitHeads, type Context, type Traced } from '../nn/index.ts';
import type { Tensor } from '../core/index.ts';
import { COUNT, LAYERS, mustDivide, transposed, type Family } from './family.ts';

const schema = z.object({
  vocab_size: COUNT.default(50257),
  n_positions: COUNT.default(1024),
  n_embd: COUNT.default(768),
  n_layer: LAYERS.default(12),
  n_head: COUNT.default(12),
  n_inner: COUNT.nullish(),
  activation_function: z.enum(['gelu_new', 'gelu_pytorch_tanh']).default('gelu_new'),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  initializer_range: z.number().nonnegative().default(0.02),
  tie_word_embeddings: z.boolean().default(true),
  scale_attn_weights: z.literal(true).default(true),
  scale_attn_by_inverse_layer_idx: z.literal(false).default(false),
  bias: z.boolean().default(true),
});

export type Gpt2Config = Readonly<z.infer<typeof schema>>;

// N tokens, C n_embd, H heads, D head size, V vocab_size, T n_positions
function build(ctx: Context, c: Gpt2Config): Traced {
  const { b } = ctx, std = c.initializer_range, norm = { eps: c.layer_norm_epsilon, bias: c.bias };
  const table = embeddingTable(ctx, 'embed', [c.vocab_size, c.n_embd], std); // [V, C]
  const places = embeddingTable(ctx, 'positions', [c.n_positions, c.n_embd], std); // [T, C]
  let x = b.call('add', lookup(ctx, table, ctx.tokens), lookup(ctx, places, ctx.positions)); // [N, C]
  for (let layer = 0; layer < c.n_layer; layer++) x = b.within(`blocks.${layer}`, () => block(ctx, c, layer, x));
  const hidden = layerNorm(ctx, x, 'norm', norm); // [N, C]
  return { hidden, head: c.tie_word_embeddings ? table : embeddingTable(ctx, 'head', [c.vocab_size, c.n_embd], std) };
}

function block(ctx: Context, c: Gpt2Config, layer: number, x: Tensor): Tensor {
  const { b } = ctx, norm = { eps: c.layer_norm_epsilon, bias: c.bias };
  const options = { bias: c.bias, std: c.initializer_range, outStd: c.initializer_range / Math.sqrt(2 * c.n_layer) };
  const attended = b.call('add', x, b.within('attn', () => attention(ctx, c, layer, layerNorm(ctx, x, 'norm', norm), options)));
  const mlp = { ...options, nInner: c.n_inner ?? 4 * c.n_embd };
  return b.call('add', attended, b.within('mlp', () => geluMlp(ctx, layerNorm(ctx, attended, 'norm', norm), mlp)));
}

function attention(ctx: Context, c: Gpt2Config, layer: number, x: Tensor, { bias, std, outStd }: { bias: boolean; std: number; outStd: number }): Tensor {
  const qkv = splitChannels(ctx, linear(ctx, x, 'qkv', 3 * c.n_embd, { bias, std }), 3); // three of [N, C]
  const [q, k, v] = qkv.map((part) => splitHeads(ctx, part, c.n_head)) as [Tensor, Tensor, Tensor]; // [N, H, D]
  const mixed = ctx.attend(layer, q, k, v, { scale: 1 / Math.sqrt(c.n_embd / c.n_head), window: 0, softcap: 0 }); // [N, H, D]
  return linear(ctx, mergeHeads(ctx, mixed), 'o', c.n_embd, { bias, std: outStd }); // [N, C]
}

const gpt2: Family<Gpt2Config> = {
  modelType: 'gpt2',
  schema,
  tiny: {
    vocab_size: 61,
    n_positions: 64,
    n_embd: 32,
    n_layer: 2,
    n_head: 4,
    n_inner: null,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    initializer_range: 0.02,
    tie_word_embeddings: true,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    bias: true,
  },
  written: { architectures: ['GPT2LMHeadModel'], resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 },
  prefix: 'transformer.',
  weights: {
    'embed.weight': 'transformer.wte.weight',
    'positions.weight': 'transformer.wpe.weight',
    'blocks.*.attn.norm.weight': 'transformer.h.*.ln_1.weight',
    'blocks.*.attn.norm.bias': 'transformer.h.*.ln_1.bias',
    'blocks.*.attn.qkv.weight': transposed('transformer.h.*.attn.c_attn.weight'),
    'blocks.*.attn.qkv.bias': 'transformer.h.*.attn.c_attn.bias',
    'blocks.*.attn.o.weight': transposed('transformer.h.*.attn.c_proj.weight'),
    'blocks.*.attn.o.bias': 'transformer.h.*.attn.c_proj.bias',
    'blocks.*.mlp.norm.weight': 'transformer.h.*.ln_2.weight',
    'blocks.*.mlp.norm.bias': 'transformer.h.*.ln_2.bias',
    'blocks.*.mlp.up.weight': transposed('transformer.h.*.mlp.c_fc.weight'),
    'blocks.*.mlp.up.bias': 'transformer.h.*.mlp.c_fc.bias',
    'blocks.*.mlp.down.weight': transposed('transformer.h.*.mlp.c_proj.weight'),
    'blocks.*.mlp.down.bias': 'transformer.h.*.mlp.c_proj.bias',
    'norm.weight': 'transformer.ln_f.weight',
    'norm.bias': 'transformer.ln_f.bias',
    'head.weight': 'lm_head.weight',
  },
  ignored: /\.attn\.(masked_)?bias$/, // causal masks of older files
  check: (c) => mustDivide('n_embd', c.n_embd, 'n_head', c.n_head),
  dims: (c) => ({
    nLayers: c.n_layer,
    nEmbd: c.n_embd,
    nHeads: c.n_head,
    nKvHeads: c.n_head,
    headSize: c.n_embd / c.n_head,
    vocabSize: c.vocab_size,
    maxPositions: c.n_positions,
  }),
  stored: (c) => ({ ...c, bias: true }),
  build,
};
export default gpt2;
