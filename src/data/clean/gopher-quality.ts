// The rule `gopher-quality`: what Gopher's corpus was cleaned by. Layer: data (pure).
// Rae et al. 2021, arXiv 2112.11446, appendix A1.1 "Quality filtering"; names of the reasons as in datatrove.
// In text that is mostly ideographs words are counted as characters / 1.6, the mean length of words says nothing and is not
// looked at, and the stop words are Chinese.

import { z } from 'zod';
import type { Rule } from '../stage.ts';
import { IDEOGRAPHS_A_WORD, isIdeographic, WordScanner, type Words } from './words.ts';

/** The paper's eight. */
const STOP_WORDS = ['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'];
/** Ours: the eight most frequent function characters; any prose has several. */
const CHINESE_STOP_WORDS = ['的', '是', '在', '了', '和', '有', '不', '这'];

const options = z.strictObject({
  minWords: z.number().min(0).default(50).describe('words a document must have (paper: 50)'),
  maxWords: z.number().min(0).default(100_000).describe('words it may have (paper: 100,000)'),
  minMeanWordLength: z.number().min(0).default(3).describe('characters a word, mean (paper: 3)'),
  maxMeanWordLength: z.number().min(0).default(10).describe('characters a word, mean (paper: 10)'),
  maxSymbolRatio: z.number().min(0).default(0.1).describe('hashes, and ellipses, to words (paper: 0.1)'),
  maxBulletLines: z.number().min(0).max(1).default(0.9).describe('share of lines that start with a bullet (paper: 0.9)'),
  maxEllipsisLines: z.number().min(0).max(1).default(0.3).describe('share of lines that end with an ellipsis (paper: 0.3)'),
  minAlphabeticWords: z.number().min(0).max(1).default(0.8).describe('share of words with a letter (paper: 0.8)'),
  minStopWords: z.int().min(0).default(2).describe('different stop words (paper: 2 of 8; 0 for other languages than English and Chinese)'),
});
type Options = z.infer<typeof options>;

/** Gopher's quality filter. */
export const gopherQuality: Rule<Options> = {
  name: 'gopher-quality',
  about: "Drops what does not look like prose: Gopher's word counts, lengths, symbols, bullets and stop words.",
  options,
  judge: (limits) => {
    const scanner = new WordScanner();
    return ({ text }) => {
      const words = scanner.scan(text);
      return judgeWords(text, words, limits) ?? judgeLines(text, limits) ?? judgeStopWords(text, words, limits.minStopWords);
    };
  },
};

function judgeWords(text: string, words: Words, limits: Options): string | undefined {
  const chinese = isIdeographic(words), scale = chinese ? IDEOGRAPHS_A_WORD : 1;
  const count = words.plain / scale, all = words.n / scale, mean = words.plainUnits / words.plain;
  const symbols = text.includes('#') || text.includes('..') || text.includes('…');
  const hashes = symbols ? occurrences(text, '#') / all : 0, ellipses = symbols ? (occurrences(text, '...') + occurrences(text, '…')) / all : 0;
  if (count < limits.minWords) return `gopher_short_doc: ${count.toFixed(0)} words < ${limits.minWords}`;
  if (count > limits.maxWords) return `gopher_long_doc: ${count.toFixed(0)} words > ${limits.maxWords}`;
  if (!chinese && mean < limits.minMeanWordLength) return `gopher_below_avg_threshold: mean word length ${mean.toFixed(2)} < ${limits.minMeanWordLength}`;
  if (!chinese && mean > limits.maxMeanWordLength) return `gopher_above_avg_threshold: mean word length ${mean.toFixed(2)} > ${limits.maxMeanWordLength}`;
  if (hashes > limits.maxSymbolRatio) return `gopher_too_many_hashes: ${hashes.toFixed(3)} a word > ${limits.maxSymbolRatio}`;
  if (ellipses > limits.maxSymbolRatio) return `gopher_too_many_ellipsis: ${ellipses.toFixed(3)} a word > ${limits.maxSymbolRatio}`;
  const alphabetic = words.alphabetic / words.n;
  // In Chinese each character is a word and punctuation stands between few of them: the share is high in any prose.
  if (alphabetic < limits.minAlphabeticWords) return `gopher_below_alpha_threshold: ${percent(alphabetic)} words with a letter < ${percent(limits.minAlphabeticWords)}`;
  return undefined;
}

function judgeLines(text: string, limits: Options): string | undefined {
  let lines = 0, bullets = 0, ellipses = 0;
  for (let start = 0; start < text.length;) {
    const found = text.indexOf('\n', start), end = found < 0 ? text.length : found;
    let first = start, last = end - 1;
    while (first < end && isBlank(text.charCodeAt(first))) first++;
    while (last > first && isBlank(text.charCodeAt(last))) last--;
    const mark = text[first];
    lines++;
    if (first < end) {
      if (mark === '•' || mark === '-' || mark === '·' || mark === '●') bullets++;
      if (text[last] === '…' || (text[last] === '.' && text.slice(last - 2, last + 1) === '...' && last - 2 >= first)) ellipses++;
    }
    start = end + 1;
  }
  if (bullets > limits.maxBulletLines * lines) return `gopher_too_many_bullets: ${percent(bullets / lines)} of lines > ${percent(limits.maxBulletLines)}`;
  if (ellipses > limits.maxEllipsisLines * lines) return `gopher_too_many_end_ellipsis: ${percent(ellipses / lines)} of lines > ${percent(limits.maxEllipsisLines)}`;
  return undefined;
}

function judgeStopWords(text: string, words: Words, least: number): string | undefined {
  if (least === 0) return undefined;
  const list = isIdeographic(words) ? CHINESE_STOP_WORDS : STOP_WORDS, found = new Set<string>();
  for (let w = 0; w < words.n; w++) {
    const length = words.ends[w]! - words.starts[w]!;
    if (length > 4) continue; // none of them is longer
    const word = text.slice(words.starts[w]!, words.ends[w]!);
    if (list.includes(word) && found.add(word).size >= least) return undefined;
  }
  return `gopher_enough_stop_words: ${found.size} stop words < ${least}`;
}

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

const isBlank = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 0x3000;
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
