// Finds words and phrases of several lists in a scanned text, by hashes of words. Layer: data (pure).

import { WordScanner, type Words } from './words.ts';

type Phrase = { readonly hashes: readonly number[]; readonly target: number };

/** Phrases by their first word. Chinese phrases are rows of characters, so that they are found anywhere. */
export class PhraseIndex {
  readonly #byFirst = new Map<number, Phrase[]>();

  /** @param lists each list's phrases, in lower case; a list's number is what `at` returns */
  constructor(lists: readonly (readonly string[])[]) {
    const scanner = new WordScanner();
    lists.forEach((phrases, target) => {
      for (const phrase of phrases) {
        const { n, hashes } = scanner.scan(phrase.toLowerCase()), row = [...hashes.subarray(0, n)], first = row[0];
        if (first !== undefined) this.#byFirst.set(first, [...this.#byFirst.get(first) ?? [], { hashes: row, target }]);
      }
    });
    // The longest first: 女儿 is one word, and not also what begins it.
    for (const phrases of this.#byFirst.values()) phrases.sort((a, b) => b.hashes.length - a.hashes.length);
  }

  /** Lists that have the longest phrase beginning at word `w`, and its length in words; undefined if none begins there. */
  at(words: Words, w: number): { targets: number[]; length: number } | undefined {
    const phrases = this.#byFirst.get(words.hashes[w]!);
    if (phrases === undefined) return undefined;
    let length = 0;
    const targets: number[] = [];
    for (const { hashes, target } of phrases) {
      if (hashes.length < length) break;
      if (w + hashes.length > words.n || !hashes.every((hash, i) => words.hashes[w + i] === hash)) continue;
      length = hashes.length;
      targets.push(target);
    }
    return length === 0 ? undefined : { targets, length };
  }
}
