// Normalizers: what changes a text before it is cut. Layer: tokenizer (pure).
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/normalizers.

import type { AlignedText, Edit } from './aligned-text.ts';
import { classSet, contains } from './char-set.ts';
import type { RegexDfa } from './regex-dfa.ts';

/** One step, or several in order. */
export interface Normalizer {
  apply(text: AlignedText): AlignedText;
}

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

/** A character and what may join with it: marks, Hangul's vowels and finals, the voiced signs of half-width kana. */
const CLUSTERS = /[\s\S][\p{M}\u1161-\u11ff\ud7b0-\ud7fb\uff9e\uff9f]*/gu;

/** Pieces found by a pattern, each replaced by what a function makes of it where that is different. */
export function editedBy(text: AlignedText, pattern: RegExp, change: (part: string) => string, align: NonNullable<Edit['align']> = 'head'): AlignedText {
  const edits: Edit[] = [];
  for (const match of text.text.matchAll(pattern)) {
    const changed = change(match[0]);
    if (changed !== match[0]) edits.push({ from: match.index, to: match.index + match[0].length, text: changed, align });
  }
  return text.edited(edits);
}

/** Unicode normalisation forms. */
export function unicodeForm(form: UnicodeForm): Normalizer {
  return {
    apply(text) {
      const whole = text.text.normalize(form);
      if (whole === text.text) return text;
      if (text.starts === undefined) return text.withText(whole);
      const edited = editedBy(text, CLUSTERS, (part) => part.normalize(form), 'tail');
      return edited.text === whole ? edited : text.edited([{ from: 0, to: text.text.length, text: whole, align: 'tail' }]); // joins what we do not know of
    },
  };
}

/** Lower case, character by character: a final sigma is no other than any, unlike in JavaScript. */
export function lowerCased(text: AlignedText): AlignedText {
  if (text.starts !== undefined) return editedBy(text, /[\s\S]/gu, (character) => character.toLowerCase());
  const lower = text.text.includes('Σ') ? text.text.split('Σ').map((part) => part.toLowerCase()).join('σ') : text.text.toLowerCase();
  return text.withText(lower);
}

/** White space off the ends. */
export function strip(left: boolean, right: boolean): Normalizer {
  return {
    apply(text) {
      const from = left ? /^\p{White_Space}*/u.exec(text.text)![0].length : 0;
      let to = text.text.length;
      if (right) { while (to > from && isSpace(text.text.charCodeAt(to - 1))) to--; }
      return text.slice(from, to);
    },
  };
}

/** White space is all in the Basic Multilingual Plane. */
export function isSpace(unit: number): boolean {
  return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || (unit >= 0x80 && contains(classSet(String.raw`\p{White_Space}`), unit));
}

/** Whatever a pattern finds becomes `content`. */
export function replace(pattern: string | RegexDfa, content: string): Normalizer {
  return {
    apply(text) {
      if (typeof pattern === 'string') {
        if (pattern === '' || !text.text.includes(pattern)) return text;
        if (text.starts === undefined && !text.text.startsWith(pattern)) return text.withText(text.text.replaceAll(pattern, () => content));
      }
      const found = typeof pattern === 'string' ? occurrences(text.text, pattern) : pattern.matches(text.text), edits: Edit[] = [];
      for (let i = 0; i < found.length; i += 2) edits.push({ from: found[i]!, to: found[i + 1]!, text: content, align: 'last' });
      return text.edited(edits);
    },
  };
}

/** Where a string stands in another: start, end, start, end, … */
export function occurrences(text: string, part: string): number[] {
  const out: number[] = [];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) out.push(at, at + part.length);
  return out;
}

/** Something before every text that is not empty. */
export function prepend(content: string): Normalizer {
  return { apply: (text) => text.prepended(content) };
}

/** Without what a pattern finds. */
export function without(pattern: RegExp): Normalizer {
  return { apply: (text) => editedBy(text, pattern, () => '') };
}

/** Without combining marks. */
export function stripAccents(): Normalizer {
  return without(/\p{M}/gu);
}

/** One after the other. */
export function normalizerSequence(steps: readonly Normalizer[]): Normalizer {
  return { apply: (text) => steps.reduce((before, step) => step.apply(before), text) };
}

/** What `BertNormalizer` may do. */
export interface BertOptions {
  readonly cleanText: boolean;
  readonly handleChineseChars: boolean;
  readonly stripAccents: boolean;
  readonly lowercase: boolean;
}

/** BERT's: control characters go, white space becomes blanks, ideographs stand alone, accents go, lower case. */
export function bertNormalizer(options: BertOptions): Normalizer {
  const steps: Normalizer[] = [];
  if (options.cleanText) steps.push(without(CONTROL), { apply: (text) => editedBy(text, /[\t\n\r]|(?! )\p{White_Space}/gu, () => ' ') });
  if (options.handleChineseChars) steps.push({ apply: (text) => editedBy(text, IDEOGRAPH, (character) => ` ${character} `) });
  if (options.stripAccents) steps.push(unicodeForm('NFD'), without(/\p{Mn}/gu));
  if (options.lowercase) steps.push({ apply: lowerCased });
  return normalizerSequence(steps);
}

/** Controls, format characters and private use, but for those that are younger than the reference's tables (Unicode 8). */
const CONTROL = /[\0\ufffd]|(?![\t\n\r\u0890\u0891\u08e2\u{110cd}\u{13430}-\u{1343f}])[\p{Cc}\p{Cf}\p{Co}]/gu;

/** As in BERT's tokenization.py, _is_chinese_char (and its mistake of 2B920). */
const IDEOGRAPH = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
