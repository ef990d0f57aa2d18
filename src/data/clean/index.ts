// What cleaning offers to programs; its stages are named in data/pipeline/stages.ts. Layer: data (pure).

export { FairnessCounter, type Association, type FairnessCounts, type FairnessReport, type Representation } from './fairness.ts';
export { ATTRIBUTE_WORDS, GROUP_WORDS, type Groups, type WordList } from './fairness-words.ts';
export { c4Quality } from './c4-quality.ts';
export { finewebQuality } from './fineweb-quality.ts';
export { gopherQuality } from './gopher-quality.ts';
export { gopherRepetition } from './gopher-repetition.ts';
export { normalise } from './normalise.ts';
export { personalData } from './pii.ts';
export { adult, toxicity } from './toxicity.ts';
export { identifyLanguage, languageTag, type Identified } from './language.ts';
export { findPersonalData, maskPersonalData, PII_KINDS, type Found, type PiiKind, type PiiOptions } from './pii.ts';
export { confidentJoint, findLabelErrors, labelQuality, type LabelError, type LabelFilter, type LabelScore } from './label-errors.ts';
export { loadLinearModel, readExamples, saveLinearModel } from './linear-file.ts';
export { crossValidate, DEFAULT_TRAINING, LinearModel, trainLinearModel, type Example, type TrainOptions } from './linear-model.ts';
