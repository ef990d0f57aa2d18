// The edit `c4-quality`: keeps lines that end like sentences, drops pages that are no prose. Layer: data (pure).
// Raffel et al. 2020, arXiv 1910.10683, section 2.2, with what its published code does beside it (words above 1000
// characters, citations, policy lines); names as in datatrove. Chinese: 。！？ and their quotes end a sentence, and three
// words of a line are five characters. The list of bad words is a rule of its own (`toxic-words`).

import { z } from 'zod';
import { utf8Bytes } from '../document.ts';
import type { Edit } from '../stage.ts';

const CITATION = /\[\d*\]|\[edit\]|\[citation needed\]/g;
const POLICY = ['terms of use', 'privacy policy', 'cookie policy', 'uses cookies', 'use of cookies', 'use cookies'];
const CHINESE_POLICY = ['使用条款', '隐私政策', '隐私权政策', '使用條款', '隱私權政策'];
const TERMINAL = /[.?!"'。！？”’」』]$/;
const IDEOGRAPH = /[\u3400-\u9fff]/g;
/** What three words are in Chinese (1.6 characters a word). */
const IDEOGRAPHS_OF_THREE_WORDS = 5;

const options = z.strictObject({
  minSentences: z.int().min(0).default(5).describe('sentences a page must keep (paper: 5)'),
  minWordsInLine: z.int().min(0).default(3).describe('words a line must have (paper: 3, in its first version 5)'),
  maxWordLength: z.int().min(1).default(1000).describe('a line with a longer word is left out (published code: 1000)'),
  removeCitations: z.boolean().default(true).describe('take out [1], [edit], [citation needed]'),
  terminalPunctuation: z.boolean().default(true).describe('leave out lines that do not end with . ! ? or a quote'),
  dropLoremIpsum: z.boolean().default(true).describe('drop pages with “lorem ipsum”'),
  dropCurlyBracket: z.boolean().default(true).describe('drop pages with “{”'),
  removeJavascript: z.boolean().default(true).describe('leave out lines with “javascript”'),
  removePolicy: z.boolean().default(true).describe('leave out lines about cookies, terms of use and privacy'),
});
type Options = z.infer<typeof options>;

/** C4's heuristics; a page that they throw away comes out empty, and is dropped. */
export const c4Quality: Edit<Options> = {
  name: 'c4-quality',
  about: 'Leaves out lines that are no sentences; drops pages with too few (C4).',
  options,
  edit: (limits) => (document) => {
    const cleaned = cleanPage(document.text, limits);
    if (cleaned.text === document.text) return undefined;
    return { document: { ...document, text: cleaned.text, bytes: utf8Bytes(cleaned.text) }, detail: cleaned.detail };
  },
};

function cleanPage(text: string, limits: Options): { text: string; detail: string } {
  const kept: string[] = [], removed = new Map<string, number>();
  let sentences = 0;
  for (const raw of text.split('\n')) {
    const trimmed = raw.trim(), line = limits.removeCitations && trimmed.includes('[') ? trimmed.replace(CITATION, '') : trimmed;
    const lower = line.toLowerCase(), fault = faultOf(line, lower, limits);
    if (fault === 'lorem_ipsum' || fault === 'curly_bracket') return { text: '', detail: `${fault}: ${line.slice(0, 80)}` };
    if (fault !== undefined) {
      removed.set(fault, (removed.get(fault) ?? 0) + 1);
    } else {
      sentences += countSentences(line);
      kept.push(line);
    }
  }
  if (sentences < limits.minSentences) return { text: '', detail: `too_few_sentences: ${sentences} < ${limits.minSentences}` };
  const counts = [...removed].map(([fault, count]) => `${fault} ${count}`);
  return { text: kept.join('\n').trim(), detail: counts.length === 0 ? 'citations or blanks' : `lines: ${counts.join(', ')}` };
}

/** The first objection to a line, in datatrove's order. */
function faultOf(line: string, lower: string, limits: Options): string | undefined {
  const words = line.split(/\s+/);
  if (line.length > limits.maxWordLength && words.some((word) => word.length > limits.maxWordLength)) return 'too_long_word';
  if (limits.terminalPunctuation && (!TERMINAL.test(line) || line.endsWith('...'))) return 'no_terminal_punc';
  if (words.length < limits.minWordsInLine && (line.match(IDEOGRAPH)?.length ?? 0) < IDEOGRAPHS_OF_THREE_WORDS * limits.minWordsInLine / 3) return 'too_few_words';
  if (limits.dropLoremIpsum && lower.includes('lorem ipsum')) return 'lorem_ipsum';
  if (limits.removeJavascript && lower.includes('javascript')) return 'javascript';
  if (limits.dropCurlyBracket && line.includes('{')) return 'curly_bracket';
  if (limits.removePolicy && (POLICY.some((phrase) => lower.includes(phrase)) || CHINESE_POLICY.some((phrase) => line.includes(phrase)))) return 'policy';
  return undefined;
}

/**
 * Sentences of a line: ends of `.`, `?`, `!` before white space and something that is no small letter, and of 。！？
 * anywhere; what follows the last end is one too. (C4 and datatrove ask NLTK's Punkt, which also knows abbreviations.)
 */
export function countSentences(line: string): number {
  const ends = line.match(/[.?!]+["'”’)]*(?=\s+[^\p{Ll}\s])|[。！？]+[”’」』）]*(?=.)/gu)?.length ?? 0;
  return line.trim() === '' ? 0 : ends + 1;
}
