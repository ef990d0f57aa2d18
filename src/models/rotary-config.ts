// How config.json says rotary positions, over the years, and what the layers make of it. Layer: models.

import { z } from 'zod';
import type { RopeScaling } from '../nn/index.ts';
import { COUNT, type Impossible } from './family.ts';

const POSITIVE = z.number().positive();
const FACTORS = z.array(POSITIVE);

/** `rope_scaling`. Unknown fields are refused: they would change what is computed. */
export const ROPE_SCALING = z.discriminatedUnion('rope_type', [
  z.strictObject({ rope_type: z.literal('linear'), factor: POSITIVE }),
  z.strictObject({ rope_type: z.literal('dynamic'), factor: POSITIVE }),
  z.strictObject({
    rope_type: z.literal('llama3'),
    factor: POSITIVE,
    low_freq_factor: POSITIVE,
    high_freq_factor: POSITIVE,
    original_max_position_embeddings: COUNT,
  }),
  z.strictObject({
    rope_type: z.literal('yarn'),
    factor: POSITIVE,
    original_max_position_embeddings: COUNT.nullish(),
    beta_fast: POSITIVE.nullish(),
    beta_slow: POSITIVE.nullish(),
    attention_factor: POSITIVE.nullish(),
    mscale: z.number().nonnegative().nullish(),
    mscale_all_dim: z.number().nonnegative().nullish(),
    truncate: z.boolean().nullish(),
  }),
  z.strictObject({
    rope_type: z.literal('longrope'),
    short_factor: FACTORS,
    long_factor: FACTORS,
    original_max_position_embeddings: COUNT,
    factor: POSITIVE.nullish(),
    attention_factor: POSITIVE.nullish(),
  }),
]);

/** Fields of families that turn all heads by one rule. */
export const ROPE_FIELDS = {
  rope_theta: z.number().positive().default(10000),
  rope_scaling: ROPE_SCALING.nullish(),
};

type Raw = Readonly<Record<string, unknown>>;

/** One rule as it is given: `type` for `rope_type` in older files, the base beside it in newer ones. */
export function upgradedScaling(given: unknown): { readonly theta?: unknown; readonly scaling: unknown } {
  if (given === null || given === undefined) return { scaling: null };
  if (typeof given !== 'object' || Array.isArray(given)) return { scaling: given }; // for the schema to refuse
  const { rope_theta: theta, type, rope_type: kind = type ?? 'default', ...numbers } = given as Record<string, unknown>;
  if (numbers.partial_rotary_factor === 1) delete numbers.partial_rotary_factor; // all channels turn, as they do here
  const scaling = kind === 'default' && Object.keys(numbers).length === 0 ? null : { rope_type: kind, ...numbers };
  return { ...(theta === undefined ? {} : { theta }), scaling };
}

/** transformers 5 keeps all rotary fields in `rope_parameters`. */
export function upgradeRope(raw: Raw): Record<string, unknown> {
  const { rope_parameters: joined, ...rest } = raw, { theta, scaling } = upgradedScaling(joined ?? rest.rope_scaling);
  return { ...rest, ...(theta === undefined ? {} : { rope_theta: theta }), rope_scaling: scaling };
}

/** A parsed `rope_scaling` for the layers. */
export function scalingOf(parsed: z.infer<typeof ROPE_SCALING> | null | undefined): RopeScaling | undefined {
  return parsed ?? undefined;
}

/** Lists of divisors that do not fit the channels that turn. */
export function checkScaling(parsed: z.infer<typeof ROPE_SCALING> | null | undefined, turned: number): Impossible | undefined {
  if (parsed?.rope_type !== 'longrope') return undefined;
  const wrong = (['short_factor', 'long_factor'] as const).find((key) => parsed[key].length !== turned / 2);
  return wrong && { key: `rope_scaling.${wrong}`, why: `${wrong} has ${parsed[wrong].length} numbers, but ${turned / 2} pairs of channels turn` };
}
