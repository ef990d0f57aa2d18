// Pairs of neighbouring symbols with their counts: the book-keeping of BPE training. Layer: tokenizer (pure).
// Training waits for memory most of the time, so what is needed together lies together: a look-up touches one slot and
// one record of 16 bytes each.

import { grown } from './grown.ts';

const FIRST_PAIRS = 1 << 16;
const SLOT = 4; // of a slot: left id, right id, pair + 1 (0 for none), unused
const RECORD = 4; // of a record, in units of 4 bytes: count (8 bytes), LAST, GAINS
const LAST = 2;
const GAINS = 3;

/** Dense numbers for pairs of ids, by a hash table, with a count for each. */
export class PairCounts {
  /** How many pairs were ever seen. */
  size = 0;
  /** The ids, by pair. */
  left = new Int32Array(FIRST_PAIRS);
  right = new Int32Array(FIRST_PAIRS);
  #integers = new Int32Array(FIRST_PAIRS * RECORD);
  #counts = new Float64Array(this.#integers.buffer); // the same memory: a count at every even place
  #slots = new Int32Array(FIRST_PAIRS * 2 * SLOT);

  /** The number of a pair, given one if it is new. */
  indexOf(left: number, right: number): number {
    const slots = this.#slots, mask = slots.length - SLOT;
    let slot = (hashPair(left, right) * SLOT) & mask;
    while (slots[slot + 2] !== 0) {
      if (slots[slot] === left && slots[slot + 1] === right) return slots[slot + 2]! - 1;
      slot = (slot + SLOT) & mask;
    }
    slots[slot] = left;
    slots[slot + 1] = right;
    slots[slot + 2] = this.size + 1;
    return this.#add(left, right);
  }

  #add(left: number, right: number): number {
    const pair = this.size++;
    if (pair >= this.left.length) {
      this.left = grown(this.left, 0);
      this.right = grown(this.right, 0);
      this.#integers = grown(this.#integers, 0);
      this.#counts = new Float64Array(this.#integers.buffer);
    }
    this.left[pair] = left;
    this.right[pair] = right;
    if (this.size * 2 * SLOT > this.#slots.length) this.#rehash();
    return pair;
  }

  #rehash(): void {
    const old = this.#slots, slots = new Int32Array(old.length * 2), mask = slots.length - SLOT;
    for (let i = 0; i < old.length; i += SLOT) {
      if (old[i + 2] === 0) continue;
      let slot = (hashPair(old[i]!, old[i + 1]!) * SLOT) & mask;
      while (slots[slot + 2] !== 0) slot = (slot + SLOT) & mask;
      slots.set(old.subarray(i, i + SLOT), slot);
    }
    this.#slots = slots;
  }

  /** How often the pair stands in the text now. */
  count(pair: number): number {
    return this.#counts[pair * 2]!;
  }

  add(pair: number, by: number): void {
    this.#counts[pair * 2]! += by;
  }

  /** Notes that `word` (not 0) holds the pair. @returns how often that was noted before in this step; -1 if `word` was the last */
  gain(pair: number, word: number): number {
    const integers = this.#integers, record = pair * RECORD;
    if (integers[record + LAST] === word) return -1;
    integers[record + LAST] = word;
    return integers[record + GAINS]!++;
  }

  /** The gains of this step; then, where they are to be put, until `endStep`. */
  gains(pair: number): number {
    return this.#integers[pair * RECORD + GAINS]!;
  }

  setGains(pair: number, value: number): void {
    this.#integers[pair * RECORD + GAINS] = value;
  }

  endStep(pair: number): void {
    this.#integers[pair * RECORD + LAST] = 0;
    this.#integers[pair * RECORD + GAINS] = 0;
  }
}

function hashPair(left: number, right: number): number {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

/** A candidate: a pair, its count when it was put here, and from where to where the words that hold it are listed. */
export interface Candidate {
  readonly pair: number;
  readonly count: number;
  readonly from: number;
  readonly to: number;
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
