// Rotary scaling as GGUF files hold it: what each frequency is divided by (`rope_freqs.weight`), and back. Layer: models.

import { ropeFrequencies, type RopeScaling } from '../nn/index.ts';

type Llama3Scaling = Extract<RopeScaling, { rope_type: 'llama3' }>;

/** Divisors of the frequencies, [D/2]. */
export function frequencyFactors(scaling: Llama3Scaling, theta: number, headSize: number): Float32Array {
  const plain = ropeFrequencies({ theta, headSize }), scaled = ropeFrequencies({ theta, headSize, scaling });
  return Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!);
}

/** Contexts that a model may have been trained with first: powers of two to 2²⁰. */
const CONTEXTS = Array.from({ length: 17 }, (_, i) => 2 ** (i + 4));

/**
 * The rule that gives these divisors. The files do not say it: Llama 3's published models all blend between a quarter and
 * the whole of a power of two, which is tried.
 *
 * @returns undefined if none does, to 10⁻⁵
 */
export function scalingOfFactors(factors: Float32Array, theta: number, headSize: number): Llama3Scaling | undefined {
  const factor = Number(Math.max(...factors).toPrecision(6));
  if (factors.length !== headSize / 2 || !(factor > 0 && Number.isFinite(factor))) return undefined;
  return CONTEXTS.map((context): Llama3Scaling => ({ rope_type: 'llama3', factor, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: context }))
    .find((scaling) => frequencyFactors(scaling, theta, headSize).every((value, i) => Math.abs(value - factors[i]!) <= 1e-5 * value));
}
