// The stack that most families are: an embedding, blocks of attention and a feed-forward layer around a residual stream,
// a norm, and the output projection. What is within a block's halves is the family's own. Layer: nn.

import type { Tensor } from '../core/index.ts';
import type { Context, Traced } from './context.ts';
import { embeddingTable, lookup } from './linear.ts';
import { rmsNorm, rmsNormFromOne } from './norm.ts';

// N tokens, C channels, V vocabulary

/** Sizes of a stack, and how its tables start: N(0, std²). */
export interface DecoderOptions {
  readonly vocabSize: number;
  readonly nEmbd: number;
  readonly nLayers: number;
  /** Of the norms. */
  readonly eps: number;
  readonly std: number;
  /** Whether the output projection is the embedding table. */
  readonly tied: boolean;
}

/** The two halves of block `layer`, from a normed [N, C] to what is added to the stream, [N, C]. */
export interface BlockParts {
  attention(layer: number, x: Tensor): Tensor;
  mlp(layer: number, x: Tensor): Tensor;
}

/**
 * x + attention(norm(x)), x + mlp(norm(x)), over and over: Llama's stack, norms before each half and at the end.
 *
 * @see Xiong et al. 2020, arXiv 2002.04745 (pre-norm); Zhang & Sennrich 2019, arXiv 1910.07467
 */
export function decoder(ctx: Context, { vocabSize, nEmbd, nLayers, eps, std, tied }: DecoderOptions, parts: BlockParts): Traced {
  const { b } = ctx, table = embeddingTable(ctx, 'embed', [vocabSize, nEmbd], std); // [V, C]
  let x = lookup(ctx, table, ctx.tokens); // [N, C]
  for (let layer = 0; layer < nLayers; layer++) {
    x = b.within(`blocks.${layer}`, () => {
      const attended = b.call('add', x, b.within('attn', () => parts.attention(layer, rmsNorm(ctx, x, 'norm', eps))));
      return b.call('add', attended, b.within('mlp', () => parts.mlp(layer, rmsNorm(ctx, attended, 'norm', eps))));
    });
  }
  return { hidden: rmsNorm(ctx, x, 'norm', eps), head: tied ? table : embeddingTable(ctx, 'head', [vocabSize, nEmbd], std) };
}

/**
 * Gemma's stack since its second generation: embeddings times √C, norms before and after each half (x + norm(attention(norm(x)))),
 * their weights counted from one.
 *
 * @see Gemma Team 2024, arXiv 2408.00118, section 2
 */
export function sandwichDecoder(ctx: Context, { vocabSize, nEmbd, nLayers, eps, std, tied }: DecoderOptions, parts: BlockParts): Traced {
  const { b } = ctx, table = embeddingTable(ctx, 'embed', [vocabSize, nEmbd], std); // [V, C]
  // The published code rounds √C to the type that it computes in; in f32 that is this.
  let x = b.call('mul', lookup(ctx, table, ctx.tokens), Math.fround(Math.sqrt(nEmbd))); // [N, C]
  const half = (name: keyof BlockParts & string, scope: string, layer: number, from: Tensor): Tensor =>
    b.within(scope, () => {
      const inner = parts[name](layer, rmsNormFromOne(ctx, from, 'norm', eps));
      return b.call('add', from, rmsNormFromOne(ctx, inner, 'postNorm', eps));
    });
  for (let layer = 0; layer < nLayers; layer++) x = b.within(`blocks.${layer}`, () => half('mlp', 'mlp', layer, half('attention', 'attn', layer, x)));
  return { hidden: rmsNormFromOne(ctx, x, 'norm', eps), head: tied ? table : embeddingTable(ctx, 'head', [vocabSize, nEmbd], std) };
}
