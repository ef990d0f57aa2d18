// Rotary position embeddings: frequencies, their scalings, and the tables of angles that models carry. Layer: nn.
// Su et al. 2021, arXiv 2104.09864, eq. 15. Tables are computed in float64 and rounded once.

import type { Tensor } from '../core/index.ts';
import type { Context } from './context.ts';

// N tokens, H heads, D head size, T positions

/** Longer contexts than were trained: `rope_scaling` of config.json. */
export type RopeScaling =
  | { readonly rope_type: 'linear'; readonly factor: number }
  | {
    readonly rope_type: 'llama3';
    readonly factor: number;
    readonly low_freq_factor: number;
    readonly high_freq_factor: number;
    readonly original_max_position_embeddings: number;
  };

/** What the tables depend on. */
export interface RopeOptions {
  readonly theta: number;
  readonly headSize: number;
  /** T, rows of the tables. */
  readonly maxPositions: number;
  readonly scaling?: RopeScaling | undefined;
}

/**
 * Radians by position for each pair of channels: θ^(−2i/D), i = 0 … D/2−1, scaled.
 *
 * `llama3` leaves wavelengths below context/high_freq_factor, divides those above context/low_freq_factor by `factor`,
 * and goes linearly from one to the other in between.
 *
 * @see Grattafiori et al. 2024, arXiv 2407.21783, section 3.4; the blend is that of Meta's published code (`apply_scaling`)
 */
export function ropeFrequencies({ theta, headSize, scaling }: Pick<RopeOptions, 'theta' | 'headSize' | 'scaling'>): Float64Array {
  const plain = Float64Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize));
  if (scaling === undefined) return plain;
  if (scaling.rope_type === 'linear') return plain.map((frequency) => frequency / scaling.factor);
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: context } = scaling;
  return plain.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI); // full turns within the context that was trained
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return (1 - kept) * (frequency / factor) + kept * frequency;
  });
}

/** cos or sin of position·frequency, [T, D/2]. */
export function ropeTable(kind: 'cos' | 'sin', options: RopeOptions): Float32Array {
  const frequencies = ropeFrequencies(options), half = frequencies.length, table = new Float32Array(options.maxPositions * half);
  for (let position = 0; position < options.maxPositions; position++) {
    for (let i = 0; i < half; i++) table[position * half + i] = Math[kind](position * frequencies[i]!);
  }
  return table;
}

/** A function that turns queries or keys [N, H, D] by their positions, halves of the channels being the pairs. */
export function rotary(ctx: Context, options: RopeOptions): (x: Tensor) => Tensor {
  const shape = [options.maxPositions, options.headSize / 2];
  const cos = ctx.buffer('rope.cos', shape, () => ropeTable('cos', options));
  const sin = ctx.buffer('rope.sin', shape, () => ropeTable('sin', options));
  return (x) => ctx.b.one('rope', { inverse: false, interleaved: false }, [x, ctx.positions, cos, sin]);
}
