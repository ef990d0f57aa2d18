// Feed-forward layers. The nonlinearity is one expression, so that it runs as one pass over the data, and its
// derivative as another. Layer: nn.

import { expression, type Expression, type Tensor } from '../core/index.ts';
import type { Context } from './context.ts';
import { splitChannels } from './heads.ts';
import { linear, type LinearOptions } from './linear.ts';

// N tokens, C channels, F channels within

/** silu(g)·u = g·sigmoid(g)·u. @see Shazeer 2020, arXiv 2002.05202, eq. 6 (SwiGLU) */
export function siluGate(): Expression {
  return expression(2, (e, g, u) => e.call('mul', e.call('mul', g!, e.call('sigmoid', g!)), u!));
}

/** gelu(g)·u, gelu in its tanh form. @see Shazeer 2020, arXiv 2002.05202, eq. 6 (GEGLU) */
export function geluGate(): Expression {
  return expression(2, (e, g, u) => e.call('mul', e.call('gelu', g!), u!));
}

/** Width within and how the weights start; `outStd` is that of the projection back to the residual stream. */
export interface MlpOptions extends LinearOptions {
  readonly nInner: number;
  readonly outStd: number;
}

/**
 * down(silu(gate(x))·up(x)): the gated feed-forward layer of Llama, or with another gate.
 *
 * @param x [N, C]
 * @param gating of two inputs: the gate's and what passes
 * @returns [N, C]
 */
export function gatedMlp(ctx: Context, x: Tensor, { nInner, bias, std, outStd }: MlpOptions, gating = siluGate()): Tensor {
  const gate = linear(ctx, x, 'gate', nInner, { bias, std }); // [N, F]
  const up = linear(ctx, x, 'up', nInner, { bias, std }); // [N, F]
  return linear(ctx, ctx.b.map(gating, [gate, up]), 'down', x.shape[1] as number, { bias, std: outStd });
}

/**
 * The same with one projection `gateUp` to both halves: the feed-forward layer of Phi-3.
 *
 * @param x [N, C]
 * @returns [N, C]
 */
export function fusedGatedMlp(ctx: Context, x: Tensor, { nInner, bias, std, outStd }: MlpOptions): Tensor {
  const [gate, up] = splitChannels(ctx, linear(ctx, x, 'gateUp', 2 * nInner, { bias, std }), 2) as [Tensor, Tensor]; // [N, F] each
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
