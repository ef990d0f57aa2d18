// What cleaning offers to programs; its stages are named in data/pipeline/stages.ts. Layer: data (pure).

export { identifyLanguage, languageTag, type Identified } from './language.ts';
export { findPersonalData, maskPersonalData, PII_KINDS, type Found, type PiiKind, type PiiOptions } from './pii.ts';
