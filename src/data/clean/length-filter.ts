// The rule `length`: keeps documents that are neither too short nor too long. Layer: data (pure).

import { z } from 'zod';
import type { Rule } from '../stage.ts';
import { WordScanner } from './words.ts';

const options = z.strictObject({
  minCharacters: z.int().min(0).default(0).describe('UTF-16 units'),
  maxCharacters: z.int().min(0).optional().describe('UTF-16 units'),
  minWords: z.int().min(0).default(0).describe('words; an ideograph counts as one'),
  maxWords: z.int().min(0).optional().describe('words; an ideograph counts as one'),
  maxLine: z.int().min(1).optional().describe('characters of the longest line'),
});

/** Limits on characters, words and lines. */
export const lengthFilter: Rule<z.infer<typeof options>> = {
  name: 'length',
  about: 'Keeps documents within limits on characters, words and lines.',
  options,
  judge: ({ minCharacters, maxCharacters = Infinity, minWords, maxWords = Infinity, maxLine = Infinity }) => {
    const scanner = new WordScanner(), countsWords = minWords > 0 || maxWords < Infinity;
    return ({ text }) => {
      if (text.length < minCharacters) return `${text.length} characters < ${minCharacters}`;
      if (text.length > maxCharacters) return `${text.length} characters > ${maxCharacters}`;
      if (maxLine < Infinity) {
        const longest = longestLine(text);
        if (longest > maxLine) return `a line of ${longest} characters > ${maxLine}`;
      }
      if (!countsWords) return undefined;
      const words = scanner.scan(text).plain;
      if (words < minWords) return `${words} words < ${minWords}`;
      return words > maxWords ? `${words} words > ${maxWords}` : undefined;
    };
  },
};

function longestLine(text: string): number {
  let longest = 0;
  for (let start = 0; start <= text.length;) {
    const found = text.indexOf('\n', start), end = found < 0 ? text.length : found;
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}
