// BPE merging: a word's symbols are joined pair by pair, the pair of lowest rank first, the leftmost of equals first.
// Layer: tokenizer (pure). Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1; order as in GPT-2's encoder.py.
// Short words are rescanned (few symbols, all in cache); long ones use a heap, so that a million letters without a
// blank take n·log n steps.

/** Symbols up to which rescanning is used: measured equal to the heap at 40 to 80 on random letters. */
const SHORT_WORD = 48;

const NO_RANK = 0x7fffffff;
const STRIDE = 4; // left, right, rank, result
const POSITIONS = 2 ** 32; // a heap key is rank · 2^32 + position; exact up to rank 2^21

/** Merges as flat triples: left id, right id, id of what they become; the rank is the position in the list. */
export type MergeTriples = Int32Array;

/** Spreads a pair of ids over a table. */
function hashPair(left: number, right: number): number {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

/** The merges of a vocabulary, looked up by pair. */
export class MergeTable {
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #ranks = new Int32Array(SHORT_WORD); // scratch: rank of the pair that starts at each symbol

  /** @param isBlocked ids that no merge may give (special tokens): such merges are left out */
  constructor(merges: MergeTriples, isBlocked: (id: number) => boolean = () => false) {
    let slots = 16;
    while (slots < merges.length) slots *= 2; // length / 3 merges: at most a third full
    this.#table = new Int32Array(slots * STRIDE).fill(-1);
    this.#mask = slots - 1;
    for (let i = 0; i < merges.length; i += 3) {
      if (!isBlocked(merges[i + 2]!)) this.#set(merges[i]!, merges[i + 1]!, i / 3, merges[i + 2]!);
    }
  }

  /** A pair that is listed twice counts as its last place, as in Hugging Face tokenizers. */
  #set(left: number, right: number, rank: number, result: number): void {
    const at = this.#find(left, right);
    this.#table[at] = left;
    this.#table[at + 1] = right;
    this.#table[at + 2] = rank;
    this.#table[at + 3] = result;
  }

  /** Where the pair stands, or the free place where it would. */
  #find(left: number, right: number): number {
    const table = this.#table, mask = this.#mask;
    let slot = hashPair(left, right) & mask;
    while (table[slot * STRIDE]! >= 0 && (table[slot * STRIDE] !== left || table[slot * STRIDE + 1] !== right)) {
      slot = (slot + 1) & mask;
    }
    return slot * STRIDE;
  }

  #rank(left: number, right: number): number {
    const at = this.#find(left, right);
    return this.#table[at]! >= 0 ? this.#table[at + 2]! : NO_RANK;
  }

  #result(left: number, right: number): number {
    return this.#table[this.#find(left, right) + 3]!;
  }

  /**
   * Merges symbols in place.
   *
   * @param symbols ids; the first `length` are the word
   * @returns how many symbols are left, at the start of `symbols`
   */
  merge(symbols: Int32Array, length: number): number {
    return length <= SHORT_WORD ? this.#mergeShort(symbols, length) : this.#mergeLong(symbols, length);
  }

  #mergeShort(symbols: Int32Array, length: number): number {
    const ranks = this.#ranks;
    for (let i = 0; i + 1 < length; i++) ranks[i] = this.#rank(symbols[i]!, symbols[i + 1]!);
    let n = length;
    while (n > 1) {
      let best = 0;
      for (let i = 1; i + 1 < n; i++) if (ranks[i]! < ranks[best]!) best = i;
      if (ranks[best] === NO_RANK) break;
      symbols[best] = this.#result(symbols[best]!, symbols[best + 1]!);
      n--;
      for (let i = best + 1; i < n; i++) {
        symbols[i] = symbols[i + 1]!;
        ranks[i] = ranks[i + 1]!;
      }
      if (best + 1 < n) ranks[best] = this.#rank(symbols[best]!, symbols[best + 1]!);
      if (best > 0) ranks[best - 1] = this.#rank(symbols[best - 1]!, symbols[best]!);
    }
    return n;
  }

  #mergeLong(symbols: Int32Array, length: number): number {
    const next = new Int32Array(length), previous = new Int32Array(length);
    const heap = new MinHeap(length);
    for (let i = 0; i < length; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      if (i + 1 < length) {
        const rank = this.#rank(symbols[i]!, symbols[i + 1]!);
        if (rank !== NO_RANK) heap.push(rank * POSITIONS + i);
      }
    }
    while (heap.size > 0) {
      const key = heap.pop(), rank = Math.floor(key / POSITIONS), i = key - rank * POSITIONS;
      const j = next[i]!;
      // What was merged away is -1, and a pair that has changed since has another rank.
      if (symbols[i]! < 0 || j >= length || this.#rank(symbols[i]!, symbols[j]!) !== rank) continue;
      symbols[i] = this.#result(symbols[i]!, symbols[j]!);
      symbols[j] = -1;
      const after = next[j]!, before = previous[i]!;
      next[i] = after;
      if (after < length) {
        previous[after] = i;
        const right = this.#rank(symbols[i]!, symbols[after]!);
        if (right !== NO_RANK) heap.push(right * POSITIONS + i);
      }
      if (before >= 0) {
        const left = this.#rank(symbols[before]!, symbols[i]!);
        if (left !== NO_RANK) heap.push(left * POSITIONS + before);
      }
    }
    let n = 0;
    for (let i = 0; i < length; i = next[i]!) symbols[n++] = symbols[i]!;
    return n;
  }
}

/** A binary heap of numbers, the least on top. */
class MinHeap {
  size = 0;
  #keys: Float64Array;

  constructor(capacity: number) {
    this.#keys = new Float64Array(Math.max(16, capacity));
  }

  push(key: number): void {
    if (this.size === this.#keys.length) {
      const larger = new Float64Array(this.size * 2);
      larger.set(this.#keys);
      this.#keys = larger;
    }
    const keys = this.#keys;
    let i = this.size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[i] = keys[parent]!;
      i = parent;
    }
    keys[i] = key;
  }

  pop(): number {
    const keys = this.#keys, top = keys[0]!, last = keys[--this.size]!;
    let i = 0;
    for (let child = 1; child < this.size; child = 2 * i + 1) {
      if (child + 1 < this.size && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= last) break;
      keys[i] = keys[child]!;
      i = child;
    }
    keys[i] = last;
    return top;
  }
}
