// Learning merges from word counts: the second half of BPE training. Layer: tokenizer (pure).
// Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1. The book-keeping (a heap of candidates whose counts are
// brought up to date when they come up, and for each pair the words that hold it) and the order of equals (the pair
// of smaller ids) are those of Hugging Face's BpeTrainer, so that both learn the same merges.

import { grown } from './grown.ts';
import { CandidateHeap, PairCounts } from './pair-counts.ts';
import type { WordCounts } from './word-counts.ts';

const HEAD = 3; // of a word: count (8 bytes), number of symbols; then the symbols

/** What a merge made: the ids of the pair and of the result, which may be an older token of the same spelling. */
export interface LearnedMerge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
}

/** The growing vocabulary, kept by the caller: gives the id for the result of a merge, undefined to forbid it. */
export type NameMerge = (left: number, right: number) => number | undefined;

/** Words as symbols, merged step by step. A word is named by its place in the one array that holds all. */
export class MergeLearner {
  readonly #words: Int32Array;
  readonly #counts: Float64Array; // the same memory: a word starts at an even place
  readonly #pairs = new PairCounts();
  readonly #heap: CandidateHeap;
  readonly #minFrequency: number;
  // For each candidate the words that hold its pair, in the order of the array.
  #lists = new Int32Array(1 << 16);
  #listsUsed = 0;
  // Of this step: which pair was gained in which word, as they come; and each pair once.
  #gains = new Int32Array(1 << 16);
  #gainsUsed = 0;
  #gained: number[] = [];

  /** @param byteIds the id of each byte */
  constructor(words: WordCounts, byteIds: ArrayLike<number>, minFrequency: number) {
    this.#heap = new CandidateHeap(this.#pairs);
    this.#minFrequency = Math.max(1, minFrequency);
    const { bytes, ends, counts } = words;
    // A word takes at most 1 more for evenness; the first place is left free, so that no word is named 0.
    this.#words = new Int32Array(2 * Math.ceil((bytes.length + ends.length * (HEAD + 1) + 2) / 2));
    this.#counts = new Float64Array(this.#words.buffer);
    for (let i = 0, from = 0, word = 2; i < ends.length; from = ends[i++]!) {
      const length = ends[i]! - from;
      this.#counts[word >> 1] = counts[i]!;
      this.#words[word + 2] = length;
      for (let k = 0; k < length; k++) this.#words[word + HEAD + k] = byteIds[bytes[from + k]!]!;
      for (let k = word + HEAD; k + 1 < word + HEAD + length; k++) {
        this.#change(this.#words[k]!, this.#words[k + 1]!, counts[i]!, word);
      }
      word += (HEAD + length + 1) & ~1;
    }
    this.#endStep();
  }

  /** Learns the next merge; undefined when no pair is left that comes often enough. */
  step(name: NameMerge): LearnedMerge | undefined {
    for (let top = this.#heap.pop(); top !== undefined; top = this.#heap.pop()) {
      const count = this.#pairs.count(top.pair);
      if (top.count !== count) {
        if (count > 0) this.#heap.push({ ...top, count });
        continue;
      }
      if (count < this.#minFrequency) return undefined;
      const left = this.#pairs.left[top.pair]!, right = this.#pairs.right[top.pair]!;
      const result = name(left, right);
      if (result === undefined) continue;
      for (let i = top.from; i < top.to; i++) this.#mergeWord(this.#lists[i]!, left, right, result);
      this.#endStep();
      return { left, right, result };
    }
    return undefined;
  }

  /** Joins every `left right` of a word, from the left, and counts the neighbours anew. */
  #mergeWord(word: number, left: number, right: number, result: number): void {
    const words = this.#words, start = word + HEAD, end = start + words[word + 2]!;
    const count = this.#counts[word >> 1]!;
    let write = start;
    for (let read = start; read < end;) {
      if (words[read] !== left || read + 1 >= end || words[read + 1] !== right) {
        words[write++] = words[read++]!;
        continue;
      }
      if (write > start) {
        this.#change(words[write - 1]!, left, -count, word);
        this.#change(words[write - 1]!, result, count, word);
      }
      if (read + 2 < end) {
        this.#change(right, words[read + 2]!, -count, word);
        this.#change(result, words[read + 2]!, count, word);
      }
      words[write++] = result;
      read += 2;
    }
    words[word + 2] = write - start;
  }

  /** Adds to a pair's count; a gain also notes the word, once (a word's changes come together). */
  #change(left: number, right: number, by: number, word: number): void {
    const pair = this.#pairs.indexOf(left, right);
    this.#pairs.add(pair, by);
    if (by < 0) return;
    const before = this.#pairs.gain(pair, word);
    if (before < 0) return;
    if (before === 0) this.#gained.push(pair);
    if (this.#gainsUsed + 2 > this.#gains.length) this.#gains = grown(this.#gains, 0);
    this.#gains[this.#gainsUsed++] = pair;
    this.#gains[this.#gainsUsed++] = word;
  }

  /** Sorts what was gained by pair, as lists, and makes candidates of the pairs. */
  #endStep(): void {
    const pairs = this.#pairs;
    for (const pair of this.#gained) {
      const from = this.#listsUsed, count = pairs.count(pair);
      if (count > 0) {
        this.#listsUsed += pairs.gains(pair);
        this.#heap.push({ pair, count, from, to: this.#listsUsed });
      }
      pairs.setGains(pair, count > 0 ? from : -1); // where its next word goes
    }
    if (this.#listsUsed > this.#lists.length) this.#lists = grown(this.#lists, this.#listsUsed);
    for (let i = 0; i < this.#gainsUsed; i += 2) {
      const pair = this.#gains[i]!, at = pairs.gains(pair);
      if (at < 0) continue;
      this.#lists[at] = this.#gains[i + 1]!;
      pairs.setGains(pair, at + 1);
    }
    for (const pair of this.#gained) pairs.endStep(pair);
    this.#gained.length = 0;
    this.#gainsUsed = 0;
  }
}
