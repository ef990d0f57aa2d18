// Normalisation layers. Layer: nn.

import type { Tensor } from '../core/index.ts';
import type { Context } from './context.ts';

// N tokens, C channels (of a head, where x is [N, H, C]: heads then have a norm each and share the weight)

/**
 * y = x / sqrt(mean(x²) + eps) · weight, with the parameter `NAME.weight` [C], which starts at one.
 *
 * @param x [N, C] or [N, H, C]
 * @see Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4
 */
export function rmsNorm(ctx: Context, x: Tensor, name: string, eps: number): Tensor {
  return ctx.b.within(name, () => {
    const weight = ctx.parameter('weight', [x.shape.at(-1) as number], { kind: 'ones' });
    return ctx.b.one('rmsNorm', { eps }, [x, weight]);
  });
}

/**
 * y = x / sqrt(mean(x²) + eps) · (1 + weight), with the parameter `NAME.weight` [C], which starts at zero: Gemma's.
 *
 * @param x [N, C] or [N, H, C]
 * @see Gemma Team 2024, arXiv 2403.08295; that the weight is counted from one is said only by its published code
 */
export function rmsNormFromOne(ctx: Context, x: Tensor, name: string, eps: number): Tensor {
  return ctx.b.within(name, () => {
    const weight = ctx.parameter('weight', [x.shape.at(-1) as number], { kind: 'zeros' });
    return ctx.b.one('rmsNorm', { eps }, [x, ctx.b.call('add', weight, 1)]);
  });
}

/**
 * y = (x − mean) / sqrt(var + eps) · weight + bias, with the parameters `NAME.weight` and, if wanted, `NAME.bias` [C].
 *
 * @param x [N, C]
 * @see Ba, Kiros & Hinton 2016, arXiv 1607.06450, eq. 3–4
 */
export function layerNorm(ctx: Context, x: Tensor, name: string, { eps, bias }: { readonly eps: number; readonly bias: boolean }): Tensor {
  return ctx.b.within(name, () => {
    const channels = x.shape[1] as number, weight = ctx.parameter('weight', [channels], { kind: 'ones' });
    const offset = bias ? ctx.parameter('bias', [channels], { kind: 'zeros' }) : null;
    return ctx.b.one('layerNorm', { eps }, [x, weight, offset]);
  });
}
