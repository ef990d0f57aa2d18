// Ids of tokens that begin and end a text, and the fields of config.json that say so. Layer: models (pure).

/** Special ids of a model. */
export interface SpecialIds {
  readonly begin?: number | undefined;
  readonly ends?: readonly number[];
}

/** `bos_token_id` and `eos_token_id`; a list only where there are several ends, neither where there is none. */
export function idFields({ begin, ends = [] }: SpecialIds): Record<string, unknown> {
  return { ...(begin === undefined ? {} : { bos_token_id: begin }), ...(ends.length === 0 ? {} : { eos_token_id: ends.length === 1 ? ends[0] : ends }) };
}
