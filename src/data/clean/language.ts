// Which language a text is in: its script by Unicode ranges, then naive Bayes over hashed trigrams and words for scripts
// that several languages share, and character sets for Chinese. Layer: data (pure).
// Long texts are judged by four pieces of them, so that the cost of a document is bounded.

import { brotliDecompressSync } from 'node:zlib';
import { countHan } from './han.ts';
import { languageFeatures } from './language-features.ts';
import { PACKED_PROFILES } from './language-profiles.ts';
import { scriptTable, SCRIPTS } from './script.ts';

/** A language with its ISO 15924 script; `und` where there are no letters, or none of a script that is known. */
export type Identified = { language: string; script?: string; confidence: number };

/** Pieces, and units in each, that a long text is judged by: measured, the accuracy on paragraphs is that of 300 units. */
const PIECES = 4;
const PIECE = 512;
/** An ideograph or syllable says as much as this many letters: a Chinese page with code in it is Chinese. */
const IDEOGRAPH_WEIGHT = 4;
/** Japanese prose is at least a quarter kana; Chinese that quotes a Japanese name is not. */
const MIN_KANA = 0.1;
/** Naive Bayes counts overlapping trigrams as if they were independent; this part of the evidence is believed. */
const BELIEF = 0.3;
/** Mean level a feature of text in the language gets (0 … 7 on the scale of the profiles): below, the text is in none that is known. */
const FAMILIAR = 1.2;
const HALF_LEVELS = 7;
const LEVEL_STEP = 0.5; // CLIP / HALF_LEVELS of the generator
/** Levels are added four languages at a time, a byte each: so many features of 14 at most fit in a byte. */
const LANES = 4;
const FEATURES_A_FLUSH = 18;

/** Scripts that stand for one language (or nearly: what they are most written for). */
const LANGUAGE_OF_SCRIPT: Readonly<Record<string, string>> = {
  Grek: 'el',
  Hebr: 'he',
  Beng: 'bn',
  Guru: 'pa',
  Gujr: 'gu',
  Orya: 'or',
  Taml: 'ta',
  Telu: 'te',
  Knda: 'kn',
  Mlym: 'ml',
  Sinh: 'si',
  Thai: 'th',
  Laoo: 'lo',
  Tibt: 'bo',
  Mymr: 'my',
  Geor: 'ka',
  Ethi: 'am',
  Khmr: 'km',
  Mong: 'mn',
  Armn: 'hy',
  Hang: 'ko',
};
const HANGUL = SCRIPTS.indexOf('Hang'), KANA = SCRIPTS.indexOf('Kana'), HAN = SCRIPTS.indexOf('Hani');

/** `rows`: for each bucket the levels of all languages (0 … 14), {@link LANES} in a word. */
type Profiles = { languages: readonly string[]; mask: number; rows: Int32Array; words: number };
const profilesOfScript = new Map<string, Profiles>();
const scratch = new Uint16Array(2 * (PIECES * (PIECE + 1)) * 3 + 2); // lower case may lengthen a text (İ becomes two units)

/**
 * The language that most of a text is in.
 *
 * @returns `language` (BCP 47; `zh` with script `Hans` or `Hant`), `script`, and `confidence` from 0 (no idea) to 1, which falls
 *   with the share of the text in other scripts, with a close second, and with features that no known language has
 * @example
 * identifyLanguage('Het is vandaag mooi weer, we gaan naar het strand.').language; // 'nl'
 */
export function identifyLanguage(text: string): Identified {
  const sample = sampleOf(text), counts = countScripts(sample);
  const weigh = (script: number): number => counts[script]! * (script >= HANGUL ? IDEOGRAPH_WEIGHT : 1);
  let letters = 0, top = 0, most = 0;
  const han = weigh(HAN) + weigh(KANA);
  for (let script = 1; script < SCRIPTS.length; script++) {
    const weight = script === HAN ? han : script === KANA ? 0 : weigh(script);
    letters += weight;
    if (weight > most) {
      most = weight;
      top = script;
    }
  }
  if (letters === 0) return { language: 'und', confidence: 0 };
  const share = most / letters;
  if (top === HAN) return identifyHan(sample, counts[KANA]! / (counts[KANA]! + counts[HAN]!), share);
  const script = SCRIPTS[top]!, profiles = profilesOf(script);
  if (profiles === undefined) return { language: LANGUAGE_OF_SCRIPT[script] ?? 'und', script: script === 'Hang' ? 'Kore' : script, confidence: share };
  return identifyLetters(sample.toLowerCase(), top, profiles, share);
}

/** The language as metadata hold it: with the script where a language is written in two (`zh-Hans`). */
export function languageTag(identified: Identified): string {
  return identified.language === 'zh' && identified.script !== undefined ? `zh-${identified.script}` : identified.language;
}

/** A long text's beginning, end, and what stands at the thirds. */
function sampleOf(text: string): string {
  if (text.length <= PIECES * PIECE) return text;
  const pieces: string[] = [];
  for (let i = 0; i < PIECES; i++) {
    const start = Math.floor((text.length - PIECE) * i / (PIECES - 1));
    pieces.push(text.slice(start, start + PIECE));
  }
  return pieces.join(' ');
}

function countScripts(text: string): Uint32Array {
  const scripts = scriptTable(), counts = new Uint32Array(SCRIPTS.length);
  for (let i = 0; i < text.length; i++) counts[scripts[text.charCodeAt(i)]!]!++;
  return counts;
}

function identifyHan(text: string, kana: number, share: number): Identified {
  if (kana >= MIN_KANA) return { language: 'ja', script: 'Jpan', confidence: share };
  const { simplified, traditional, japanese } = countHan(text);
  // Without kana, only characters that Chinese does not use speak for Japanese (a list of names, a heading).
  if (japanese > simplified + traditional) return { language: 'ja', script: 'Jpan', confidence: 0.5 * share };
  const distinct = simplified + traditional, major = Math.max(simplified, traditional);
  // One imaginary vote for each: short text of shared characters is Chinese, but which is a guess.
  return { language: 'zh', script: traditional > simplified ? 'Hant' : 'Hans', confidence: share * (major + 1) / (distinct + 2) * 2 ** -(japanese / (distinct + 1)) };
}

function identifyLetters(lower: string, script: number, profiles: Profiles, share: number): Identified {
  const found = languageFeatures(scratch, lower, scriptTable(), script, profiles.mask), scores = scoresOf(scratch, found, profiles);
  const n = profiles.languages.length;
  let best = 0;
  for (let k = 1; k < n; k++) if (scores[k]! > scores[best]!) best = k;
  let sum = 0;
  for (let k = 0; k < n; k++) sum += Math.exp((scores[k]! - scores[best]!) * LEVEL_STEP * BELIEF);
  const familiar = Math.min(1, Math.max(0, (scores[best]! / found - HALF_LEVELS) / FAMILIAR));
  return { language: profiles.languages[best]!, script: SCRIPTS[script]!, confidence: share * familiar / sum };
}

/** Sums of the levels of all features, by language. */
function scoresOf(features: Uint16Array, found: number, { rows, words }: Profiles): Int32Array {
  const scores = new Int32Array(words * LANES), sums = new Int32Array(words);
  for (let f = 0; f < found;) {
    for (const end = Math.min(found, f + FEATURES_A_FLUSH); f < end; f++) {
      const row = features[f]! * words;
      for (let w = 0; w < words; w++) sums[w] = sums[w]! + rows[row + w]!;
    }
    for (let w = 0; w < words; w++) {
      const sum = sums[w]!;
      for (let lane = 0; lane < LANES; lane++) scores[w * LANES + lane]! += (sum >>> (8 * lane)) & 255;
      sums[w] = 0;
    }
  }
  return scores;
}

function profilesOf(script: string): Profiles | undefined {
  const kept = profilesOfScript.get(script);
  if (kept !== undefined) return kept;
  const packed = PACKED_PROFILES.find((profiles) => profiles.script === script);
  if (packed === undefined) return undefined;
  const bytes = brotliDecompressSync(Buffer.from(packed.levels, 'base64')), languages = packed.languages.split(' '), n = languages.length, buckets = 2 ** packed.bits;
  const words = Math.ceil(n / LANES), rows = new Int32Array(buckets * words);
  for (let k = 0; k < n; k++) {
    const shift = 8 * (k % LANES), column = Math.floor(k / LANES);
    for (let b = 0; b < buckets; b++) rows[b * words + column]! |= ((bytes[(k * buckets + b) >> 1]! >> (b % 2 === 0 ? 4 : 0)) & 15) << shift;
  }
  const profiles = { languages, mask: buckets - 1, rows, words };
  profilesOfScript.set(script, profiles);
  return profiles;
}
