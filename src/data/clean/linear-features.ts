// Features of a text for the linear classifier: hashed words, pairs of words, and letter n-grams. Layer: data (pure).
// The hashing trick (Weinberger et al. 2009, arXiv 0902.2206) with fastText's choice of n-grams (Joulin et al. 2016, arXiv
// 1607.01759). Ideographs are words here, so that pairs of them are most Chinese words.

import { WordScanner } from './words.ts';

/** What is looked at; part of a model's file. */
export type FeatureOptions = {
  /** 2^bits buckets. */
  readonly bits: number;
  /** Longest n-gram of words. */
  readonly wordGrams: number;
  /** Letter n-grams of words, from and to; 0 and 0 for none. */
  readonly letterGrams: readonly [least: number, most: number];
};

const PRIME = 0x01000193;
const finish = (hash: number, mask: number): number => {
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & mask;
};

/** A text's different buckets, each once. Keeps its tables for the next text. */
export class FeatureReader {
  readonly #options: FeatureOptions;
  readonly #scanner = new WordScanner();
  /** The text (by its number) that a bucket was last seen in: no table has to be cleared. */
  readonly #seen: Uint32Array;
  #texts = 0;
  #out = new Uint32Array(4096);

  constructor(options: FeatureOptions) {
    this.#options = options;
    this.#seen = new Uint32Array(2 ** options.bits);
  }

  /** @returns a view that the next call overwrites */
  read(text: string): Uint32Array {
    const lower = text.toLowerCase(), words = this.#scanner.scan(lower), { bits, wordGrams, letterGrams: [least, most] } = this.#options, mask = 2 ** bits - 1;
    if (++this.#texts > 0xffffffff) {
      this.#seen.fill(0);
      this.#texts = 1;
    }
    let n = 0;
    const add = (hash: number): void => {
      const bucket = finish(hash, mask);
      if (this.#seen[bucket] === this.#texts) return;
      this.#seen[bucket] = this.#texts;
      if (n === this.#out.length) this.#grow();
      this.#out[n++] = bucket;
    };
    for (let w = 0; w < words.n; w++) {
      let hash = words.hashes[w]!;
      add(hash);
      for (let gram = 1; gram < wordGrams && w + gram < words.n; gram++) add(hash = Math.imul(hash, PRIME) ^ words.hashes[w + gram]!);
      if (most === 0) continue;
      const start = words.starts[w]!, end = words.ends[w]!;
      for (let from = start; from + least <= end; from++) {
        let letters = from === start ? 17 : 31; // a beginning is not the same as the inside
        for (let to = from; to < end && to - from < most; to++) {
          letters = Math.imul(letters ^ lower.charCodeAt(to), PRIME);
          if (to - from + 1 >= least) add(letters);
        }
      }
    }
    return this.#out.subarray(0, n);
  }

  #grow(): void {
    const longer = new Uint32Array(this.#out.length * 2);
    longer.set(this.#out);
    this.#out = longer;
  }
}
