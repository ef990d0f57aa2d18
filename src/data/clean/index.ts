// What cleaning is made of, and its kinds of stages for the list of a recipe. Layer: data (pure).

import { editStage, ruleStage, type StageKind } from '../stage.ts';
import { c4Quality } from './c4-quality.ts';
import { finewebQuality } from './fineweb-quality.ts';
import { gopherQuality } from './gopher-quality.ts';
import { gopherRepetition } from './gopher-repetition.ts';
import { identifyLanguageEdit } from './identify-language.ts';
import { languageFilter } from './language-filter.ts';
import { lengthFilter } from './length-filter.ts';
import { licenceFilter } from './licence-filter.ts';
import { normalise } from './normalise.ts';
import { repeatedLines, repeatedParagraphs } from './repeated-parts.ts';

export { identifyLanguage, languageTag, type Identified } from './language.ts';

/** Every kind of stage here, in the order that a recipe would use them. */
export function cleaningStages(): StageKind<never>[] {
  return [
    editStage(normalise),
    editStage(identifyLanguageEdit),
    ruleStage(languageFilter),
    ruleStage(licenceFilter),
    ruleStage(lengthFilter),
    ruleStage(gopherRepetition),
    ruleStage(gopherQuality),
    editStage(c4Quality),
    ruleStage(finewebQuality),
    editStage(repeatedLines),
    editStage(repeatedParagraphs),
  ] as StageKind<never>[];
}
