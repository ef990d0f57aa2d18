// Named models for recipes (`model: quickstart`): config.json fields, of which a recipe may change any. `vocab_size` is the
// tokenizer's unless it stands here. Layer: models.

export interface Preset {
  readonly model_type: string;
  readonly [field: string]: unknown;
}

export const PRESETS: Readonly<Record<string, Preset>> = {
  // 5.5 million parameters at a vocabulary of 4096: what two cores can train in about two minutes. Feed-forward layers
  // are 8/3 as wide as the stream (arXiv 2002.05202, section 3), rounded up to whole cache lines and register tiles.
  quickstart: {
    model_type: 'llama', hidden_size: 256, intermediate_size: 704, num_hidden_layers: 6, num_attention_heads: 8, num_key_value_heads: 4,
    max_position_embeddings: 512, rms_norm_eps: 1e-5, rope_theta: 10000, initializer_range: 0.02, tie_word_embeddings: true,
  },
  // nanoGPT's published run for a CPU: `train.py config/train_shakespeare_char.py --n_layer=4 --n_head=4 --n_embd=128
  // --block_size=64`, with train.py's default of no biases.
  'char-4x128': { model_type: 'gpt2', n_embd: 128, n_layer: 4, n_head: 4, n_positions: 64, bias: false },
  // The middle case of the training bench, in the same form.
  'small-6x384': { model_type: 'gpt2', n_embd: 384, n_layer: 6, n_head: 6, n_positions: 256, vocab_size: 4096, bias: false },
  // The smallest published GPT-2.
  'gpt2-124m': { model_type: 'gpt2', n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, vocab_size: 50257 },
};
