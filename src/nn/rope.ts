// Rotary position embeddings: the tables of angles that models carry, and the layer that turns by them. Layer: nn.
// Su et al. 2021, arXiv 2104.09864, eq. 15. Tables are computed in float64 and rounded once.

import type { Tensor } from '../core/index.ts';
import type { Context } from './context.ts';
import { isLong, ropeFrequencies, ropeMagnitude, type FrequencyOptions } from './rope-scaling.ts';

// N tokens, H heads, D head size, R ≤ D turned channels, T positions

/** What the tables depend on; `headSize` is R. */
export interface RopeOptions extends FrequencyOptions {
  /** T, rows of the tables. */
  readonly maxPositions: number;
  /** What the tables are called, for models with several: `rope`. */
  readonly name?: string;
  /** Whether neighbouring channels are the pairs, not halves of the channels that turn. */
  readonly interleaved?: boolean;
}

/** cos or sin of position·frequency times the scaling's magnitude, [T, R/2], or the first `rows` of them. */
export function ropeTable(kind: 'cos' | 'sin', options: RopeOptions, rows = options.maxPositions): Float32Array {
  const frequencies = ropeFrequencies(options), magnitude = ropeMagnitude(options), half = frequencies.length, table = new Float32Array(rows * half);
  for (let position = 0; position < rows; position++) {
    for (let i = 0; i < half; i++) table[position * half + i] = magnitude * Math[kind](position * frequencies[i]!);
  }
  return table;
}

/**
 * A function that turns the first R channels of queries or keys [N, H, D] by their positions, halves of them being the
 * pairs unless said otherwise. Where the run's length is known (`ctx.maxLength`), its tables have no more rows than that; their names say so,
 * because programs of one executor share what has one name.
 */
export function rotary(ctx: Context, given: RopeOptions): (x: Tensor) => Tensor {
  const options = { ...given, maxLength: ctx.maxLength }, { scaling, name = 'rope' } = options;
  const rows = Math.min(options.maxPositions, ctx.maxLength ?? Infinity), shape = [rows, options.headSize / 2];
  const kind = scaling?.rope_type === 'longrope' && isLong(scaling, options) ? `${name}.long` : name;
  const cos = ctx.buffer(`${kind}.${rows}.cos`, shape, () => ropeTable('cos', options, rows));
  const sin = ctx.buffer(`${kind}.${rows}.sin`, shape, () => ropeTable('sin', options, rows));
  return (x) => ctx.b.one('rope', { inverse: false, interleaved: given.interleaved ?? false }, [x, ctx.positions, cos, sin]);
}
