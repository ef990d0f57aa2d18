// What cleaning is made of. Layer: data (pure).

export { identifyLanguage, languageTag, type Identified } from './language.ts';
