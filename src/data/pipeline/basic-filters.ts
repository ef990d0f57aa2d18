// The filters of the short form as a stage. Layer: data.

import { z } from 'zod';
import { DEFAULT_FILTERS, judge } from '../filters.ts';
import type { StageKind } from '../stage.ts';

const options = z.strictObject({
  without: z.array(z.string()).default([]).describe('names of filters to leave out'),
});

/** Drops what is too short, broken, generated or data: see filters.ts. */
export const basicFilters: StageKind<z.infer<typeof options>> = {
  name: 'basic-filters',
  about: 'Drops texts that are too short, badly decoded, encoded data, minified or generated.',
  scope: 'document',
  options,
  start({ without }, context) {
    const filters = DEFAULT_FILTERS.filter(({ name }) => !without.includes(name));
    return async function*(documents) {
      for await (const document of documents) {
        const verdict = judge(document, filters);
        if (verdict === undefined) yield document;
        else context.drop(document, verdict.reason, verdict.detail);
      }
    };
  },
};
