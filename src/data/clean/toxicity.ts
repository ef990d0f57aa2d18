// The rules `toxicity` and `adult`: by the density of words of a list. Layer: data (file access, for a list of one's own).
// C4 (arXiv 1910.10683) drops a page for a single word, which also drops novels, medicine and news (Dodge et al. 2021, arXiv
// 2104.08758, section 5); so the density decides, and how many different words there are.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { storageError } from '../../base/durable.ts';
import type { Rule } from '../stage.ts';
import { PhraseIndex } from './phrases.ts';
import { ADULT_WORDS, TOXIC_WORDS } from './toxic-words.ts';
import { IDEOGRAPHS_A_WORD, WordScanner } from './words.ts';

const options = z.strictObject({
  // Ours: novels have up to about one such word in a thousand; pages that are made of them, twenty and more.
  maxPerThousand: z.number().min(0).default(5).describe('words of the list in a thousand words'),
  minHits: z.int().min(1).default(2).describe('fewer hits never drop a document'),
  words: z.string().optional().describe('a file of words of your own, one a line, instead of ours'),
});
type Options = z.infer<typeof options>;

/** Hits of a list, and how many in a thousand words. */
export function wordDensity(text: string, index: PhraseIndex, scanner: WordScanner): { hits: number; perThousand: number; first: string } {
  const lower = text.toLowerCase(), words = scanner.scan(lower);
  let hits = 0, first = '';
  for (let w = 0; w < words.n; w++) {
    const phrase = index.at(words, w);
    if (phrase === undefined) continue;
    if (hits++ === 0) first = lower.slice(words.starts[w]!, words.ends[w + phrase.length - 1]!);
    w += phrase.length - 1;
  }
  const total = words.plain - words.ideographs + words.ideographs / IDEOGRAPHS_A_WORD;
  return { hits, perThousand: total === 0 ? 0 : 1000 * hits / total, first };
}

const ruleOf = (name: string, about: string, ours: readonly string[]): Rule<Options> => ({
  name,
  about,
  options,
  judge: ({ maxPerThousand, minHits, words: path }) => {
    const index = new PhraseIndex([path === undefined ? ours : readWords(path)]), scanner = new WordScanner();
    return ({ text }) => {
      const { hits, perThousand, first } = wordDensity(text, index, scanner);
      return hits >= minHits && perThousand > maxPerThousand ? `${hits} words such as “${first}”: ${perThousand.toFixed(1)} in a thousand > ${maxPerThousand}` : undefined;
    };
  },
});

/** Drops texts full of insults, threats and swear words. */
export const toxicity: Rule<Options> = ruleOf('toxicity', 'Drops documents full of insults, threats and swear words.', TOXIC_WORDS);

/** Drops pages of adult content. */
export const adult: Rule<Options> = ruleOf('adult', 'Drops documents of adult content.', ADULT_WORDS);

function readWords(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').map((line) => line.trim().toLowerCase()).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (cause) {
    throw storageError('read the words', path, cause);
  }
}
