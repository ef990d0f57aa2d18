// Feed-forward layers. The nonlinearity is one expression, so that it runs as one pass over the data, and its
// derivative as another. Layer: nn.

import { expression, type Expression, type Tensor } from '../core/index.ts';
import type { Context } from './context.ts';
import { linear, type LinearOptions } from './linear.ts';

// N tokens, C channels, F channels within

/** silu(g)·u = g·sigmoid(g)·u. @see Shazeer 2020, arXiv 2002.05202, eq. 6 (SwiGLU) */
export function siluGate(): Expression {
  return expression(2, (e, g, u) => e.call('mul', e.call('mul', g!, e.call('sigmoid', g!)), u!));
}

/** Width within and how the weights start; `outStd` is that of the projection back to the residual stream. */
export interface MlpOptions extends LinearOptions {
  readonly nInner: number;
  readonly outStd: number;
}

/**
 * down(silu(gate(x))·up(x)): the gated feed-forward layer of Llama.
 *
 * @param x [N, C]
 * @returns [N, C]
 */
export function gatedMlp(ctx: Context, x: Tensor, { nInner, bias, std, outStd }: MlpOptions): Tensor {
  const gate = linear(ctx, x, 'gate', nInner, { bias, std }); // [N, F]
  const up = linear(ctx, x, 'up', nInner, { bias, std }); // [N, F]
  return linear(ctx, ctx.b.map(siluGate(), [gate, up]), 'down', x.shape[1] as number, { bias, std: outStd });
}

/**
 * down(gelu(up(x))): the feed-forward layer of GPT-2, whose gelu is ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
 *
 * @param x [N, C]
 * @returns [N, C]
 */
export function geluMlp(ctx: Context, x: Tensor, { nInner, bias, std, outStd }: MlpOptions): Tensor {
  const up = linear(ctx, x, 'up', nInner, { bias, std }); // [N, F]
  return linear(ctx, ctx.b.call('gelu', up), 'down', x.shape[1] as number, { bias, std: outStd });
}
