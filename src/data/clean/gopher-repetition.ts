// The rule `gopher-repetition`: drops documents that repeat themselves. Layer: data (pure).
// Rae et al. 2021, arXiv 2112.11446, table A1; counted as datatrove counts, but that an n-gram which stands only once is no
// repetition (a text of ten words is half one n-gram). In text that is mostly ideographs an n-gram of words is one of
// 1.6 · n characters. n-grams are compared by hashes of 32 bits: a text of 100,000 words may count one pair too many.

import { z } from 'zod';
import type { Rule } from '../stage.ts';
import { IDEOGRAPHS_A_WORD, isIdeographic, WordScanner, type Words } from './words.ts';

/** Table A1: n-gram, largest share of characters. */
const TOP_N_GRAMS = [[2, 0.2], [3, 0.18], [4, 0.16]] as const;
const DUPLICATE_N_GRAMS = [[5, 0.15], [6, 0.14], [7, 0.13], [8, 0.12], [9, 0.11], [10, 0.1]] as const;

const options = z.strictObject({
  maxDuplicateLines: z.number().min(0).max(1).default(0.3).describe('share of lines that stood before (paper: 0.30)'),
  maxDuplicateParagraphs: z.number().min(0).max(1).default(0.3).describe('share of paragraphs that stood before (paper: 0.30)'),
  maxDuplicateLineCharacters: z.number().min(0).max(1).default(0.2).describe('share of characters in them (paper: 0.20)'),
  maxDuplicateParagraphCharacters: z.number().min(0).max(1).default(0.2).describe('share of characters in them (paper: 0.20)'),
  nGramFactor: z.number().positive().default(1).describe("multiplies the paper's limits on n-grams (top 2 … 4-gram 0.20, 0.18, 0.16; repeated 5 … 10-grams 0.15 … 0.10)"),
});
type Options = z.infer<typeof options>;

/** Gopher's repetition filter. */
export const gopherRepetition: Rule<Options> = {
  name: 'gopher-repetition',
  about: 'Drops documents that repeat lines, paragraphs or n-grams (Gopher, table A1).',
  options,
  judge: (limits) => {
    const scanner = new WordScanner(), grams = new GramCounter();
    return ({ text }) => judgeParts(text, limits) ?? judgeGrams(text, scanner.scan(text), grams, limits.nGramFactor);
  },
};

/** How many parts stood before, and their length. */
export function duplicatesAmong(parts: readonly string[]): { count: number; characters: number } {
  const seen = new Set<string>();
  let count = 0, characters = 0;
  for (const part of parts) {
    if (seen.size === seen.add(part).size) {
      count++;
      characters += part.length;
    }
  }
  return { count, characters };
}

function judgeParts(text: string, limits: Options): string | undefined {
  const paragraphs = text.trim().split(/\n{2,}/), lines = text.split('\n').filter((line) => line !== '');
  const inParagraphs = duplicatesAmong(paragraphs), inLines = duplicatesAmong(lines), length = Math.max(1, text.length);
  const checks = [
    ['dup_para_frac', inParagraphs.count / paragraphs.length, limits.maxDuplicateParagraphs],
    ['dup_para_char_frac', inParagraphs.characters / length, limits.maxDuplicateParagraphCharacters],
    ['dup_line_frac', inLines.count / Math.max(1, lines.length), limits.maxDuplicateLines],
    ['dup_line_char_frac', inLines.characters / length, limits.maxDuplicateLineCharacters],
  ] as const;
  const crossed = checks.find(([, share, limit]) => share > limit);
  return crossed && tell(crossed[0], crossed[1], crossed[2]);
}

function judgeGrams(text: string, words: Words, grams: GramCounter, factor: number): string | undefined {
  const scale = isIdeographic(words) ? IDEOGRAPHS_A_WORD : 1;
  for (const [n, limit] of TOP_N_GRAMS) {
    const share = grams.topCharacters(words, Math.round(n * scale)) / text.length;
    if (share > limit * factor) return tell(`top_${n}_gram`, share, limit * factor);
  }
  for (const [n, limit] of DUPLICATE_N_GRAMS) {
    const share = grams.repeatedCharacters(words, Math.round(n * scale)) / text.length;
    if (share > limit * factor) return tell(`duplicated_${n}_n_grams`, share, limit * factor);
  }
  return undefined;
}

const tell = (name: string, share: number, limit: number): string => `${name}: ${(100 * share).toFixed(1)}% > ${(100 * limit).toFixed(1)}%`;

/** What the rolling hash of an n-gram is multiplied by for each word; odd, its bits well mixed (golden ratio, 32 bits). */
const ROLL = 0x9e3779b1 | 0;

/** Counts n-grams in an open hash table, which it keeps for the next text. */
class GramCounter {
  #keys = new Int32Array(2048);
  #counts = new Int32Array(2048);

  /** Characters (with a space between words) of the most frequent n-gram times how often it stands; 0 if none stands twice. */
  topCharacters(words: Words, n: number): number {
    const mask = this.#clear(words.n);
    let most = 1, at = -1;
    this.#eachGram(words, n, mask, (slot, start) => {
      const count = ++this.#counts[slot]!;
      if (count > most) {
        most = count;
        at = start;
      }
      return 1;
    });
    if (at < 0) return 0;
    let length = isIdeographic(words) ? 0 : n - 1;
    for (let w = at; w < at + n; w++) length += words.ends[w]! - words.starts[w]!;
    return most * length;
  }

  /** Characters of n-grams that stood before; one that is counted is not entered again in part. */
  repeatedCharacters(words: Words, n: number): number {
    const mask = this.#clear(words.n);
    let characters = 0;
    this.#eachGram(words, n, mask, (slot, start) => {
      if (this.#counts[slot] === 0) {
        this.#counts[slot] = 1;
        return 1;
      }
      for (let w = start; w < start + n; w++) characters += words.ends[w]! - words.starts[w]!;
      return n;
    });
    return characters;
  }

  /** Calls `visit` with the slot and first word of n-grams; it returns how many words to go on by. */
  #eachGram(words: Words, n: number, mask: number, visit: (slot: number, start: number) => number): void {
    let leaving = 1; // ROLL^n: what the word that leaves was multiplied by
    for (let i = 0; i < n; i++) leaving = Math.imul(leaving, ROLL);
    const { hashes } = words;
    let hash = 0, until = 0;
    for (let w = 0; w < words.n; w++) {
      hash = Math.imul(hash, ROLL) + hashes[w]! | 0;
      if (w >= n) hash = hash - Math.imul(leaving, hashes[w - n]!) | 0;
      const start = w - n + 1;
      if (start < 0 || start < until) continue;
      const mixed = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
      let slot = (mixed ^ (mixed >>> 13)) & mask;
      while (this.#counts[slot]! !== 0 && this.#keys[slot] !== hash) slot = (slot + 1) & mask;
      this.#keys[slot] = hash;
      until = start + visit(slot, start);
    }
  }

  #clear(n: number): number {
    let size = 1024;
    while (size < 2 * n) size *= 2;
    if (size > this.#keys.length) {
      this.#keys = new Int32Array(size);
      this.#counts = new Int32Array(size);
    } else {
      this.#counts.fill(0, 0, size);
    }
    return size - 1;
  }
}
