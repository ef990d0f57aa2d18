// Between channels and heads. Layer: nn.

import type { Tensor } from '../core/index.ts';
import type { Context } from './context.ts';
import { linear, type LinearOptions } from './linear.ts';

// N tokens, C channels, H heads, D head size

/** [N, H·D] → [N, H, D]. */
export function splitHeads(ctx: Context, x: Tensor, nHeads: number): Tensor {
  return ctx.b.reshape(x, [x.shape[0]!, nHeads, (x.shape[1] as number) / nHeads]);
}

/** [N, H, D] → [N, H·D]. */
export function mergeHeads(ctx: Context, x: Tensor): Tensor {
  const [n, nHeads, headSize] = x.shape as [Tensor['shape'][number], number, number];
  return ctx.b.reshape(x, [n, nHeads * headSize]);
}

/** Parts of [N, k·C], side by side, each [N, C]: a projection that computes queries, keys and values at once. */
export function splitChannels(ctx: Context, x: Tensor, parts: number): Tensor[] {
  const width = (x.shape[1] as number) / parts;
  return splitWidths(ctx, x, Array.from({ length: parts }, () => width));
}

/** Parts of [N, ΣC] or [N, ΣC, …], side by side, of these widths. */
export function splitWidths(ctx: Context, x: Tensor, widths: readonly number[]): Tensor[] {
  return ctx.b.apply('split', { axis: 1, sizes: widths }, [x]);
}

/** A projection to heads: [N, C] → [N, H, D], with the parameters of `linear`. */
export function projectHeads(ctx: Context, x: Tensor, name: string, { nHeads, headSize, ...options }: HeadOptions): Tensor {
  return splitHeads(ctx, linear(ctx, x, name, nHeads * headSize, options), nHeads);
}

/** How many heads, and how the projection is made. */
export interface HeadOptions extends LinearOptions {
  readonly nHeads: number;
  readonly headSize: number;
}

/** [N, H, D] → [N, D, H], and back: channels stand first where they are cut or joined, since no window cuts the last axis. */
export function swapChannels(ctx: Context, x: Tensor): Tensor {
  return ctx.b.one('permute', { perm: [0, 2, 1] }, [x]);
}
