// The edit `identify-language`: writes down which language a document is in. Layer: data (pure).

import { z } from 'zod';
import type { Edit } from '../stage.ts';
import { identifyLanguage, languageTag } from './language.ts';

const options = z.strictObject({
  overwrite: z.boolean().default(true).describe('also where the source already names a language'),
});

/** Notes `language` (BCP 47) and `languageConfidence` in a document's metadata, and counts `language.TAG`. */
export const identifyLanguageEdit: Edit<z.infer<typeof options>> = {
  name: 'identify-language',
  about: 'Notes the language of each document (language, languageConfidence).',
  options,
  edit: ({ overwrite }, context) => (document) => {
    if (!overwrite && document.meta?.['language'] !== undefined) return undefined;
    const identified = identifyLanguage(document.text), language = languageTag(identified);
    context.count(`language.${language}`);
    const languageConfidence = Math.round(identified.confidence * 1000) / 1000;
    return { document: { ...document, meta: { ...document.meta, language, languageConfidence } } };
  },
};
