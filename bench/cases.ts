// The models that whole-job benches run: cases.json, which the peers' scripts read too.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelOfSection, type Model } from 'athanor/models';
import { checkout } from './places.ts';

export interface ModelCase {
  readonly family: 'gpt2' | 'llama';
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly width: number;
  /** Width of the feed-forward layers. */
  readonly hidden: number;
  readonly vocabulary: number;
  /** Tokens of a row. */
  readonly context: number;
  /** Rows of an optimizer step. */
  readonly batch: number;
  /** Biases of a gpt2 model; without them unless said. */
  readonly bias?: boolean;
  /** Positions that the model tells apart; the context's unless said. */
  readonly positions?: number;
}

/** All cases by name, smallest first. */
export function modelCases(): Readonly<Record<string, ModelCase>> {
  return JSON.parse(readFileSync(join(checkout(), 'bench', 'cases.json'), 'utf8')) as Record<string, ModelCase>;
}

/** Our model of a case. */
export function modelOf(c: ModelCase): Model {
  const positions = c.positions ?? c.context;
  return modelOfSection(c.family === 'gpt2'
    ? { model_type: 'gpt2', n_embd: c.width, n_inner: c.hidden, n_layer: c.layers, n_head: c.heads, n_positions: positions, vocab_size: c.vocabulary, bias: c.bias ?? false }
    : {
      model_type: 'llama',
      hidden_size: c.width,
      intermediate_size: c.hidden,
      num_hidden_layers: c.layers,
      num_attention_heads: c.heads,
      num_key_value_heads: c.kvHeads,
      max_position_embeddings: positions,
      vocab_size: c.vocabulary,
      tie_word_embeddings: true,
    });
}
