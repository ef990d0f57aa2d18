// What a model family's `build` is given. The same straight-line code is traced for training, scoring and cached
// decoding; only this context differs. Layer: nn.

import type { AttentionAttrs, Builder, Init, Tensor } from '../core/index.ts';

// N tokens of the run (packed documents, or one new token for each of many sequences), H heads, KV key heads, D head size
export interface Context {
  readonly b: Builder;
  /** Token ids, i32 [N]. */
  readonly tokens: Tensor;
  /** Position of each token in its document or sequence, i32 [N]. */
  readonly positions: Tensor;
  /** Positions of this run are below it, where that is known. */
  readonly maxLength?: number | undefined;
  /** A trainable tensor of the model, named within the current scope as in the model's own words (`attn.q.weight`). */
  parameter(name: string, shape: readonly number[], init: Init): Tensor;
  /** A constant table of the model, not saved (rotary angles). `name` is absolute and shared. */
  buffer(name: string, shape: readonly number[], values: () => Float32Array): Tensor;
  /**
   * Causal attention of layer `layer`: over the packed documents of the run, or over the sequence's cache after adding
   * k and v to it.
   *
   * @param q [N, H, D] @param k [N, KV, D] @param v [N, KV, D]
   * @returns [N, H, D]
   */
  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, attrs: AttentionAttrs): Tensor;
}

/** What `build` returns: the last hidden states and the output projection that turns them into logits. */
export interface Traced {
  /** After the final norm, [N, nEmbd]. */
  readonly hidden: Tensor;
  /** [vocabSize, nEmbd]; the embedding table itself where they are tied. */
  readonly head: Tensor;
  /** Logits are cap · tanh(logit / cap); 0, or absent, for none. */
  readonly logitSoftcap?: number;
}
