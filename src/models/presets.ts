// Named models for recipes (`model: quickstart`): config.json fields, of which a recipe may change any. `vocab_size` is the
// tokenizer's unless it stands here. Layer: models.

export interface Preset {
  readonly model_type: string;
  readonly [field: string]: unknown;
}

export const PRESETS: Readonly<Record<string, Preset>> = {
  // 2.8 million parameters at a vocabulary of 4096: in the 20 TFLOP that two cores do in about two minutes a smaller model
  // learns more (arXiv 2203.15556: tokens, some 20 a parameter, are what is short here). Feed-forward layers are 8/3 as
  // wide as the stream (arXiv 2002.05202, section 3).
  quickstart: {
    model_type: 'llama',
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 5,
    num_attention_heads: 6,
    num_key_value_heads: 3,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    initializer_range: 0.02,
    tie_word_embeddings: true,
  },
  // nanoGPT's published run for a CPU: `train.py config/train_shakespeare_char.py --n_layer=4 --n_head=4 --n_embd=128
  // --block_size=64`, with train.py's default of no biases.
  'char-4x128': { model_type: 'gpt2', n_embd: 128, n_layer: 4, n_head: 4, n_positions: 64, bias: false },
  // The middle case of the training bench, in the same form.
  'small-6x384': { model_type: 'gpt2', n_embd: 384, n_layer: 6, n_head: 6, n_positions: 256, vocab_size: 4096, bias: false },
  // The smallest published GPT-2.
  'gpt2-124m': { model_type: 'gpt2', n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, vocab_size: 50257 },
};
