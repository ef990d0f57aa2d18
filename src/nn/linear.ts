// Linear layers and lookups by row. Layer: nn.

import type { Tensor } from '../core/index.ts';
import type { Context } from './context.ts';

// N tokens, C channels in, M channels out

/** How a linear layer is made and how its weight starts: N(0, std²). Biases start at zero. */
export interface LinearOptions {
  readonly bias: boolean;
  readonly std: number;
}

/**
 * y = x·wᵀ + bias, with parameters `NAME.weight` [M, C] and, if wanted, `NAME.bias` [M].
 *
 * @param x [N, C]
 * @returns [N, M]
 */
export function linear(ctx: Context, x: Tensor, name: string, nOut: number, { bias, std }: LinearOptions): Tensor {
  return ctx.b.within(name, () => {
    const weight = ctx.parameter('weight', [nOut, x.shape[1] as number], { kind: 'normal', std });
    const offset = bias ? ctx.parameter('bias', [nOut], { kind: 'zeros' }) : null;
    return ctx.b.one('linear', {}, [x, weight, offset, null]);
  });
}

/** The parameter `NAME.weight` [rows, C] of a lookup, for a table that is used twice (tied embeddings). */
export function embeddingTable(ctx: Context, name: string, shape: readonly [rows: number, channels: number], std: number): Tensor {
  return ctx.b.within(name, () => ctx.parameter('weight', shape, { kind: 'normal', std }));
}

/**
 * Row `ids[n]` of a table for each token, in f32 whatever the table is stored in.
 *
 * @param table [rows, C] @param ids i32 [N]
 * @returns [N, C]
 */
export function lookup(ctx: Context, table: Tensor, ids: Tensor): Tensor {
  return ctx.b.cast(ctx.b.one('gather', {}, [table, ids]), 'f32');
}
