// Learning merges from word counts: the second half of BPE training. Layer: tokenizer (pure).
// Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1. The book-keeping (a heap of candidates whose counts are
// brought up to date when they come up, and for each pair the words that hold it) and the order of equals (the pair
// of smaller ids) are those of Hugging Face's BpeTrainer, so that both learn the same merges.

import { grown } from './grown.ts';
import { CandidateHeap, PairCounts, type Candidate } from './pair-counts.ts';
import type { WordCounts } from './word-counts.ts';

const NONE = -1;

/** What a merge made: the ids of the pair and of the result, which may be an older token of the same spelling. */
export interface LearnedMerge {
  readonly left: number;
  readonly right: number;
  readonly result: number;
}

/** The growing vocabulary, kept by the caller: gives the id for the result of a merge, undefined to forbid it. */
export type NameMerge = (left: number, right: number) => number | undefined;

/** Words as symbols, merged step by step. */
export class MergeLearner {
  readonly #starts: Int32Array; // of each word in #symbols
  readonly #lengths: Int32Array; // in symbols, shrinking
  readonly #symbols: Int32Array;
  readonly #wordCounts: Float64Array;
  readonly #pairs = new PairCounts();
  readonly #heap: CandidateHeap;
  readonly #minFrequency: number;
  // Lists of words, as linked nodes of one array: [word, next] for each; freed nodes are used again.
  #nodes = new Int32Array(1 << 16);
  #nodesUsed = 0;
  #freeNode = NONE;
  // Pairs that got new places in this step, and the list of their words, by pair.
  #heads = new Int32Array(1 << 16).fill(NONE);
  #touched: number[] = [];

  /** @param byteIds the id of each byte */
  constructor(words: WordCounts, byteIds: ArrayLike<number>, minFrequency: number) {
    const n = words.ends.length;
    this.#heap = new CandidateHeap(this.#pairs);
    this.#minFrequency = Math.max(1, minFrequency);
    this.#wordCounts = words.counts;
    this.#symbols = Int32Array.from(words.bytes, (byte) => byteIds[byte]!);
    this.#starts = new Int32Array(n);
    this.#lengths = new Int32Array(n);
    for (let word = 0, start = 0; word < n; start = words.ends[word++]!) {
      this.#starts[word] = start;
      this.#lengths[word] = words.ends[word]! - start;
      for (let i = start; i + 1 < words.ends[word]!; i++) {
        this.#change(this.#symbols[i]!, this.#symbols[i + 1]!, this.#wordCounts[word]!, word);
      }
    }
    this.#pushTouched();
  }

  /** Learns the next merge; undefined when no pair is left that comes often enough. */
  step(name: NameMerge): LearnedMerge | undefined {
    for (let top = this.#heap.pop(); top !== undefined; top = this.#heap.pop()) {
      const count = this.#pairs.counts[top.pair]!;
      if (top.count !== count) {
        if (count > 0) this.#heap.push({ ...top, count });
        else this.#freeList(top.words);
        continue;
      }
      if (count < this.#minFrequency) return undefined;
      const left = this.#pairs.left[top.pair]!, right = this.#pairs.right[top.pair]!;
      const result = name(left, right);
      if (result === undefined) {
        this.#freeList(top.words);
        continue;
      }
      this.#apply(top, left, right, result);
      return { left, right, result };
    }
    return undefined;
  }

  #apply(top: Candidate, left: number, right: number, result: number): void {
    for (let node = top.words; node !== NONE; node = this.#nodes[node + 1]!) {
      this.#mergeWord(this.#nodes[node]!, left, right, result);
    }
    this.#freeList(top.words);
    this.#pushTouched();
  }

  /** Joins every `left right` of a word, from the left, and counts the neighbours anew. */
  #mergeWord(word: number, left: number, right: number, result: number): void {
    const symbols = this.#symbols, start = this.#starts[word]!, end = start + this.#lengths[word]!;
    const count = this.#wordCounts[word]!;
    let write = start;
    for (let read = start; read < end;) {
      if (symbols[read] !== left || read + 1 >= end || symbols[read + 1] !== right) {
        symbols[write++] = symbols[read++]!;
        continue;
      }
      if (write > start) {
        this.#change(symbols[write - 1]!, left, -count, word);
        this.#change(symbols[write - 1]!, result, count, word);
      }
      if (read + 2 < end) {
        this.#change(right, symbols[read + 2]!, -count, word);
        this.#change(result, symbols[read + 2]!, count, word);
      }
      symbols[write++] = result;
      read += 2;
    }
    this.#lengths[word] = write - start;
  }

  /** Adds to a pair's count; a gain also notes the word, once (a word's changes come together). */
  #change(left: number, right: number, by: number, word: number): void {
    const pair = this.#pairs.indexOf(left, right);
    this.#pairs.counts[pair]! += by;
    if (by < 0) return;
    if (pair >= this.#heads.length) {
      const before = this.#heads.length;
      this.#heads = grown(this.#heads, pair + 1).fill(NONE, before);
    }
    const head = this.#heads[pair]!;
    if (head === NONE) this.#touched.push(pair);
    else if (this.#nodes[head] === word) return;
    this.#heads[pair] = this.#newNode(word, head);
  }

  #newNode(word: number, next: number): number {
    let node = this.#freeNode;
    if (node !== NONE) this.#freeNode = this.#nodes[node + 1]!;
    else {
      node = this.#nodesUsed;
      this.#nodesUsed += 2;
      if (this.#nodesUsed > this.#nodes.length) this.#nodes = grown(this.#nodes, this.#nodesUsed);
    }
    this.#nodes[node] = word;
    this.#nodes[node + 1] = next;
    return node;
  }

  #freeList(head: number): void {
    if (head === NONE) return;
    let last = head;
    while (this.#nodes[last + 1] !== NONE) last = this.#nodes[last + 1]!;
    this.#nodes[last + 1] = this.#freeNode;
    this.#freeNode = head;
  }

  /** Makes candidates of the pairs that got new places. */
  #pushTouched(): void {
    for (const pair of this.#touched) {
      const count = this.#pairs.counts[pair]!, words = this.#heads[pair]!;
      this.#heads[pair] = NONE;
      if (count > 0) this.#heap.push({ pair, count, words });
      else this.#freeList(words);
    }
    this.#touched = [];
  }
}
