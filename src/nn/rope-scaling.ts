// Rotary positions beyond the context that was trained: what `rope_scaling` of config.json does to the frequencies, and to
// the size of queries and keys. Layer: nn.

// D turned channels of a head, L0 positions that were trained first (original_max_position_embeddings)

/** Chen et al. 2023, arXiv 2306.15595: positions are divided by `factor`. */
export interface LinearScaling {
  readonly rope_type: 'linear';
  readonly factor: number;
}

/**
 * A base that grows with the sequence beyond the model's positions, and is the plain one within them. Since a graph has no
 * positions beyond them, it changes nothing here.
 */
export interface DynamicScaling {
  readonly rope_type: 'dynamic';
  readonly factor: number;
}

/** Grattafiori et al. 2024, arXiv 2407.21783, section 3.4; the blend is that of Meta's published code (`apply_scaling`). */
export interface Llama3Scaling {
  readonly rope_type: 'llama3';
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** Peng et al. 2023, arXiv 2309.00071: frequencies that turn less than `beta_slow` times within L0 are divided by `factor`. */
export interface YarnScaling {
  readonly rope_type: 'yarn';
  readonly factor: number;
  /** L0; the model's positions where absent. */
  readonly original_max_position_embeddings?: number | null | undefined;
  /** Turns above which a frequency is kept, 32. */
  readonly beta_fast?: number | null | undefined;
  /** Turns below which it is divided by `factor`, 1. */
  readonly beta_slow?: number | null | undefined;
  /** Factor on queries and keys, instead of 0.1·ln(factor) + 1 or of what the two below give. */
  readonly attention_factor?: number | null | undefined;
  /** DeepSeek's: the factor is (0.1·mscale·ln s + 1)/(0.1·mscale_all_dim·ln s + 1). */
  readonly mscale?: number | null | undefined;
  readonly mscale_all_dim?: number | null | undefined;
  /** Whether the ends of the blend are whole channels, true. */
  readonly truncate?: boolean | null | undefined;
}

/** Ding et al. 2024, arXiv 2402.13753 (LongRoPE): each frequency has its own divisor, by whether a context passes L0. */
export interface LongScaling {
  readonly rope_type: 'longrope';
  /** Divisors within L0, D/2 of them. */
  readonly short_factor: readonly number[];
  /** Divisors beyond. */
  readonly long_factor: readonly number[];
  readonly original_max_position_embeddings: number;
  /** How much longer than L0; the model's positions over L0 where absent. */
  readonly factor?: number | null | undefined;
  /** Factor on queries and keys, instead of sqrt(1 + ln factor/ln L0). */
  readonly attention_factor?: number | null | undefined;
}

export type RopeScaling = LinearScaling | DynamicScaling | Llama3Scaling | YarnScaling | LongScaling;

/** What frequencies depend on. */
export interface FrequencyOptions {
  readonly theta: number;
  /** D, channels of a head that turn: all of them as a rule. */
  readonly headSize: number;
  /** Positions of the model. */
  readonly maxPositions?: number;
  /** Most positions of this run's sequences: LongRoPE chooses by it. The model's where absent. */
  readonly maxLength?: number | undefined;
  readonly scaling?: RopeScaling | undefined;
}

/** Radians by position for each pair of channels: θ^(−2i/D), i = 0 … D/2−1, scaled. In float64. */
export function ropeFrequencies(options: FrequencyOptions): Float64Array {
  const { theta, headSize, scaling } = options;
  const plain = Float64Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize));
  switch (scaling?.rope_type) {
    case undefined:
    case 'dynamic':
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3':
      return plain.map((frequency) => llama3Frequency(frequency, scaling));
    case 'yarn':
      return yarnFrequencies(plain, scaling, options);
    case 'longrope': {
      const divisors = isLong(scaling, options) ? scaling.long_factor : scaling.short_factor;
      return plain.map((frequency, i) => frequency / divisors[i]!);
    }
    default:
      return scaling satisfies never;
  }
}

/** The factor on cos and sin, hence on turned queries and keys; 1 but for YaRN and LongRoPE. */
export function ropeMagnitude({ maxPositions, scaling }: Pick<FrequencyOptions, 'maxPositions' | 'scaling'>): number {
  if (scaling?.rope_type === 'yarn') {
    const { factor, attention_factor: given, mscale, mscale_all_dim: all } = scaling;
    return given ?? (mscale && all ? yarnMagnitude(factor, mscale) / yarnMagnitude(factor, all) : yarnMagnitude(factor));
  }
  if (scaling?.rope_type === 'longrope') {
    const { original_max_position_embeddings: trained, attention_factor: given, factor = null } = scaling, times = factor ?? (maxPositions ?? trained) / trained;
    return given ?? (times <= 1 ? 1 : Math.sqrt(1 + Math.log(times) / Math.log(trained)));
  }
  return 1;
}

/** 0.1·mscale·ln(factor) + 1, and 1 for a context that is not stretched. @see arXiv 2309.00071, eq. 22 (mscale is DeepSeek's) */
export function yarnMagnitude(factor: number, mscale = 1): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

/** Whether LongRoPE's divisors of long contexts hold: whether the sequences of a run may pass what was trained first. */
export function isLong(scaling: LongScaling, { maxPositions, maxLength }: Pick<FrequencyOptions, 'maxPositions' | 'maxLength'>): boolean {
  return (maxLength ?? maxPositions ?? Infinity) > scaling.original_max_position_embeddings;
}

/**
 * Leaves wavelengths below L0/high_freq_factor, divides those above L0/low_freq_factor by `factor`, and goes linearly from
 * one to the other in between.
 */
function llama3Frequency(frequency: number, { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: trained }: Llama3Scaling): number {
  const turns = (trained * frequency) / (2 * Math.PI); // full turns within the context that was trained
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return (1 - kept) * (frequency / factor) + kept * frequency;
}

/** Kept up to the channel that turns `beta_fast` times within L0, divided from the one of `beta_slow` on, a ramp between. */
function yarnFrequencies(plain: Float64Array, scaling: YarnScaling, { theta, headSize, maxPositions }: FrequencyOptions): Float64Array {
  const trained = scaling.original_max_position_embeddings ?? maxPositions ?? Infinity, whole = scaling.truncate ?? true;
  const channelOf = (turns: number): number => (headSize * Math.log(trained / (2 * Math.PI * turns))) / (2 * Math.log(theta)); // eq. 17, solved for the channel
  const fast = channelOf(scaling.beta_fast || 32), slow = channelOf(scaling.beta_slow || 1);
  const low = Math.max(0, whole ? Math.floor(fast) : fast), high = Math.min(headSize - 1, whole ? Math.ceil(slow) : slow);
  const width = high === low ? 0.001 : high - low; // as published: no division by zero
  return plain.map((frequency, i) => {
    const divided = Math.min(1, Math.max(0, (i - low) / width));
    return divided * (frequency / scaling.factor) + (1 - divided) * frequency;
  });
}
