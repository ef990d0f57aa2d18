// The rule `language`: keeps documents of the languages that are asked for. Layer: data (pure).

import { z } from 'zod';
import type { Rule } from '../stage.ts';
import { identifyLanguage, languageTag } from './language.ts';

const options = z.strictObject({
  keep: z.array(z.string()).min(1).default(['en', 'zh']).describe('BCP 47 languages to keep; `zh` keeps `zh-Hans` and `zh-Hant`'),
  // FineWeb, section 3.3: English by fastText with a score of at least 0.65.
  minConfidence: z.number().min(0).max(1).default(0.65).describe('drop what is identified with less'),
});

/** Keeps a document whose language, or the language without its script, is in `keep`. */
export const languageFilter: Rule<z.infer<typeof options>> = {
  name: 'language',
  about: 'Keeps documents of the given languages.',
  options,
  judge: ({ keep, minConfidence }) => {
    const wanted = new Set(keep);
    return ({ text }) => {
      const identified = identifyLanguage(text), tag = languageTag(identified);
      if (!wanted.has(tag) && !wanted.has(identified.language)) return `${tag} is not in ${keep.join(', ')}`;
      return identified.confidence < minConfidence ? `${tag} with confidence ${identified.confidence.toFixed(2)} < ${minConfidence}` : undefined;
    };
  },
};
