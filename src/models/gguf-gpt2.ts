// The GGUF form of GPT-2. Layer: models.

import { blockTensors } from './gguf-decoder.ts';
import { real, vocabulary, whole } from './gguf-fields.ts';
import type { GgufForm } from './gguf-form.ts';
import type { Gpt2Config } from './gpt2.ts';

export const gpt2: GgufForm<Gpt2Config> = {
  architecture: 'gpt2',
  weights: {
    'embed.weight': 'token_embd.weight',
    'positions.weight': 'position_embd.weight',
    ...blockTensors({ 'attn.norm': 'attn_norm', 'attn.qkv': 'attn_qkv', 'attn.o': 'attn_output', 'mlp.norm': 'ffn_norm', 'mlp.up': 'ffn_up', 'mlp.down': 'ffn_down' }),
    'norm.weight': 'output_norm.weight',
    'norm.bias': 'output_norm.bias',
    'head.weight': 'output.weight',
  },
  ignored: /^$/,
  pairedHeads: () => undefined,
  entries: (c, { nEmbd, nHeads }) => [
    whole('gpt2.context_length', c.n_positions),
    whole('gpt2.embedding_length', nEmbd),
    whole('gpt2.block_count', c.n_layer),
    whole('gpt2.feed_forward_length', c.n_inner ?? 4 * nEmbd),
    whole('gpt2.attention.head_count', nHeads),
    real('gpt2.attention.layer_norm_epsilon', c.layer_norm_epsilon),
  ],
  constants: () => [],
  config: (fields) => ({
    vocab_size: vocabulary(fields),
    n_positions: fields.needed('gpt2.context_length'),
    n_embd: fields.needed('gpt2.embedding_length'),
    n_layer: fields.needed('gpt2.block_count'),
    n_head: fields.needed('gpt2.attention.head_count'),
    n_inner: fields.needed('gpt2.feed_forward_length'),
    layer_norm_epsilon: fields.needed('gpt2.attention.layer_norm_epsilon'),
    tie_word_embeddings: !fields.header.tensors.has('output.weight'),
  }),
};
