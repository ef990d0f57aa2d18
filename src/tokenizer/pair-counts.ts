// Pairs of neighbouring symbols with their counts: the book-keeping of BPE training. Layer: tokenizer (pure).

import { grown, grownFloats } from './grown.ts';

/** Dense numbers for pairs of ids, by a hash table, with a count for each. */
export class PairCounts {
  /** How many pairs were ever seen. */
  size = 0;
  /** By pair: its ids, and how often it stands in the text now. */
  left = new Int32Array(1 << 16);
  right = new Int32Array(1 << 16);
  counts = new Float64Array(1 << 16);
  #slots = new Int32Array(1 << 18); // pair + 1; 0 is empty

  /** The number of a pair, given one if it is new. */
  indexOf(left: number, right: number): number {
    const slots = this.#slots, mask = slots.length - 1;
    let slot = hashPair(left, right) & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      const pair = entry - 1;
      if (this.left[pair] === left && this.right[pair] === right) return pair;
      slot = (slot + 1) & mask;
    }
    slots[slot] = this.size + 1;
    return this.#add(left, right);
  }

  #add(left: number, right: number): number {
    const pair = this.size++;
    if (pair >= this.left.length) {
      this.left = grown(this.left, 0);
      this.right = grown(this.right, 0);
      this.counts = grownFloats(this.counts, 0);
    }
    this.left[pair] = left;
    this.right[pair] = right;
    if (this.size * 2 > this.#slots.length) this.#rehash();
    return pair;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 4), mask = slots.length - 1;
    for (let pair = 0; pair < this.size; pair++) {
      let slot = hashPair(this.left[pair]!, this.right[pair]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = pair + 1;
    }
    this.#slots = slots;
  }
}

function hashPair(left: number, right: number): number {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

/** A candidate: a pair, its count when it was put here, and the head of the list of words that hold it. */
export interface Candidate {
  pair: number;
  count: number;
  words: number;
}

/** Candidates by count, the largest first; equal counts by the smaller left id, then the smaller right id. */
export class CandidateHeap {
  readonly #pairs: PairCounts;
  readonly #heap: Candidate[] = [];

  constructor(pairs: PairCounts) {
    this.#pairs = pairs;
  }

  get size(): number {
    return this.#heap.length;
  }

  #before(a: Candidate, b: Candidate): boolean {
    if (a.count !== b.count) return a.count > b.count;
    const { left, right } = this.#pairs;
    if (left[a.pair] !== left[b.pair]) return left[a.pair]! < left[b.pair]!;
    return right[a.pair]! < right[b.pair]!;
  }

  push(candidate: Candidate): void {
    const heap = this.#heap;
    let i = heap.push(candidate) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(candidate, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = candidate;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap, top = heap[0], last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}
