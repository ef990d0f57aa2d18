// Rotary positions in GGUF files: keys under ARCHITECTURE.rope, and tensors of divisors. Layer: models.

import { ropeMagnitude, yarnMagnitude, type RopeScaling } from '../nn/index.ts';
import { real, shortest, text, whole, type GgufFields } from './gguf-fields.ts';
import type { Constant, ReadConstant } from './gguf-form.ts';
import type { GgufEntry } from './gguf-write.ts';
import { frequencyFactors, scalingOfFactors } from './rope-factors.ts';

/** A model's rule: the base, the channels of a head that turn, how it is scaled. */
export interface RopeRule {
  readonly theta: number;
  readonly turned: number;
  readonly maxPositions: number;
  readonly scaling: RopeScaling | null | undefined;
}

const FREQUENCIES = 'rope_freqs.weight', LONG = 'rope_factors_long.weight', SHORT = 'rope_factors_short.weight';

/** Tensors of divisors, whatever the family. */
export const ROPE_TENSORS = /^rope_(freqs|factors_long|factors_short)\.weight$/;

/** What no file can say. */
export function unwritableRope({ scaling }: RopeRule): string | undefined {
  return scaling?.rope_type === 'yarn' && scaling.truncate === false ? 'its YaRN scaling blends between fractions of channels (truncate), which GGUF has no key for' : undefined;
}

/** Metadata of the rule. Dynamic scaling has none: within the model's positions it is the plain rule. */
export function ropeEntries(architecture: string, { theta, turned, maxPositions, scaling }: RopeRule): GgufEntry[] {
  const key = (name: string): string => `${architecture}.rope.${name}`, scalingKey = (name: string): string => key(`scaling.${name}`);
  const base = [whole(key('dimension_count'), turned), real(key('freq_base'), theta)];
  switch (scaling?.rope_type) {
    case 'linear':
      return [...base, text(scalingKey('type'), 'linear'), real(scalingKey('factor'), scaling.factor)];
    case 'yarn': {
      // There the factor on queries and keys is 0.1·ln(factor) + 1 times this one.
      const extra = ropeMagnitude({ scaling }) / yarnMagnitude(scaling.factor);
      return [
        ...base,
        text(scalingKey('type'), 'yarn'),
        real(scalingKey('factor'), scaling.factor),
        whole(scalingKey('original_context_length'), scaling.original_max_position_embeddings ?? maxPositions),
        ...(extra === 1 ? [] : [real(scalingKey('attn_factor'), extra)]),
        ...(scaling.beta_fast ? [real(scalingKey('yarn_beta_fast'), scaling.beta_fast)] : []),
        ...(scaling.beta_slow ? [real(scalingKey('yarn_beta_slow'), scaling.beta_slow)] : []),
      ];
    }
    case 'longrope':
      return [
        ...base,
        text(scalingKey('type'), 'longrope'),
        whole(scalingKey('original_context_length'), scaling.original_max_position_embeddings),
        real(scalingKey('attn_factor'), ropeMagnitude({ scaling, maxPositions })),
      ];
    default:
      return base;
  }
}

/** Tensors of divisors: Llama 3's rule, and the two lists of LongRoPE. */
export function ropeConstants({ theta, turned, scaling }: RopeRule): Constant[] {
  if (scaling?.rope_type === 'llama3') return [{ name: FREQUENCIES, values: frequencyFactors(scaling, theta, turned) }];
  if (scaling?.rope_type !== 'longrope') return [];
  return [{ name: LONG, values: Float32Array.from(scaling.long_factor) }, { name: SHORT, values: Float32Array.from(scaling.short_factor) }];
}

/** `rope_scaling` of config.json. @throws {FormatError} if it is one that no family has */
export function readScaling(fields: GgufFields, constant: ReadConstant, { theta, turned }: Pick<RopeRule, 'theta' | 'turned'>): Record<string, unknown> | null {
  const key = (name: string): string => `${fields.architecture}.rope.scaling.${name}`, kind = fields.string(key('type')) ?? 'none';
  const factors = constant(FREQUENCIES), long = constant(LONG), short = constant(SHORT), trained = fields.number(key('original_context_length'));
  if (factors !== undefined) {
    const scaling = scalingOfFactors(factors, theta, turned);
    if (scaling === undefined) throw fields.error(`the rotary factors of "${FREQUENCIES}" are not those of Llama 3's rule, and others are not supported`);
    return { ...scaling };
  }
  if (long !== undefined && short !== undefined) {
    if (trained === undefined) throw fields.error(`it has no "${key('original_context_length')}", which its rotary factors need`);
    const attention = fields.number(key('attn_factor'));
    return { rope_type: 'longrope', short_factor: Array.from(short, shortest), long_factor: Array.from(long, shortest), original_max_position_embeddings: trained, ...(attention === undefined ? {} : { attention_factor: attention }) };
  }
  if (kind === 'none') return null;
  if (kind === 'linear') return fields.number(key('factor')) === undefined ? null : { rope_type: 'linear', factor: fields.needed(key('factor')) };
  if (kind !== 'yarn') throw fields.error(`"${key('type')}" is "${kind}"; supported are none, linear, yarn, and longrope with its factors`);
  const factor = fields.needed(key('factor')), extra = fields.number(key('attn_factor')), optional = { beta_fast: fields.number(key('yarn_beta_fast')), beta_slow: fields.number(key('yarn_beta_slow')) };
  return {
    rope_type: 'yarn',
    factor,
    ...(trained === undefined ? {} : { original_max_position_embeddings: trained }),
    ...(extra === undefined ? {} : { attention_factor: extra * yarnMagnitude(factor) }),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}
