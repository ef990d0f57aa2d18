// BPE merging: a word's symbols are joined pair by pair, the pair of lowest rank first, the leftmost of equals first.
// Layer: tokenizer (pure). Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1; order as in GPT-2's encoder.py.
// Short words are rescanned (few symbols, all in cache); long ones use a heap, so that a million letters without a
// blank take n·log n steps.

/** Symbols up to which rescanning is used. On random letters both take the same time from 48 to 96, within the noise. */
const SHORT_WORD = 48;

const NO_RANK = 0x7fffffff;
const STRIDE = 4; // left, right, rank, result
const FILTER_BYTES = 1 << 17;
const RANK = 2;
const RESULT = 3;
/** Scratch memory above this many elements is given back after the word that needed it. */
const KEPT_SCRATCH = 1 << 16;
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
  readonly #filter = new Uint8Array(FILTER_BYTES); // a bit for each hash that occurs
  readonly #places = new Int32Array(SHORT_WORD); // scratch: where in the table the pair that starts at each symbol is
  readonly #ranks = new Int32Array(SHORT_WORD); // scratch: and its rank
  #next = new Int32Array(256); // scratch of long words
  #previous = new Int32Array(256);
  readonly #heap = new MinHeap();

  /**
   * @param isBlocked ids that no merge may give (special tokens): such merges are left out
   * @param ranks of the merges, not negative; of equal ones the leftmost pair in a word is merged first
   */
  constructor(merges: MergeTriples, isBlocked: (id: number) => boolean = () => false, ranks?: Int32Array) {
    let slots = 16;
    while (slots * 3 < merges.length * 2) slots *= 2; // at most half full
    this.#table = new Int32Array(slots * STRIDE).fill(-1);
    for (let at = 0; at < this.#table.length; at += STRIDE) this.#table[at + RANK] = NO_RANK;
    this.#mask = slots - 1;
    for (let i = 0; i < merges.length; i += 3) {
      if (!isBlocked(merges[i + 2]!)) this.#set(merges[i]!, merges[i + 1]!, ranks?.[i / 3] ?? i / 3, merges[i + 2]!);
    }
  }

  /** A pair that is listed twice counts as its last place, as in Hugging Face tokenizers. */
  #set(left: number, right: number, rank: number, result: number): void {
    const at = this.#find(left, right);
    this.#table[at] = left;
    this.#table[at + 1] = right;
    this.#table[at + RANK] = rank;
    this.#table[at + RESULT] = result;
    const hash = hashPair(left, right);
    this.#filter[(hash >>> 3) & (FILTER_BYTES - 1)]! |= 1 << (hash & 7);
  }

  /** Where the pair stands, or the free place where it would (of rank NO_RANK). */
  #find(left: number, right: number): number {
    const table = this.#table, mask = this.#mask;
    let at = (hashPair(left, right) & mask) * STRIDE;
    while (table[at]! >= 0 && (table[at] !== left || table[at + 1] !== right)) at = (at + STRIDE) & (mask * STRIDE);
    return at;
  }

  /**
   * Merges symbols[from..from+length) in place.
   *
   * @param symbols ids
   * @returns how many symbols are left, from `from` on
   */
  merge(symbols: Int32Array, from: number, length: number): number {
    return length <= SHORT_WORD ? this.#mergeShort(symbols, from, length) : this.#mergeLong(symbols, from, length);
  }

  #mergeShort(symbols: Int32Array, from: number, length: number): number {
    const table = this.#table, ranks = this.#ranks, places = this.#places;
    for (let i = 0; i + 1 < length; i++) this.#look(symbols, from, i);
    let n = length;
    while (n > 1) {
      let best = 0;
      for (let i = 1; i + 1 < n; i++) if (ranks[i]! < ranks[best]!) best = i;
      if (ranks[best] === NO_RANK) break;
      symbols[from + best] = table[places[best]! + RESULT]!;
      n--;
      for (let i = best + 1; i < n; i++) {
        symbols[from + i] = symbols[from + i + 1]!;
        ranks[i] = ranks[i + 1]!;
        places[i] = places[i + 1]!;
      }
      if (best + 1 < n) this.#look(symbols, from, best);
      if (best > 0) this.#look(symbols, from, best - 1);
    }
    return n;
  }

  /** Notes the rank and place of the pair that starts at `from + i`. */
  #look(symbols: Int32Array, from: number, i: number): void {
    const left = symbols[from + i]!, right = symbols[from + i + 1]!, hash = hashPair(left, right);
    if ((this.#filter[(hash >>> 3) & (FILTER_BYTES - 1)]! & (1 << (hash & 7))) === 0) {
      this.#ranks[i] = NO_RANK;
      return;
    }
    const at = this.#find(left, right);
    this.#places[i] = at;
    this.#ranks[i] = this.#table[at + RANK]!;
  }

  /** Puts a pair of a long word on the heap, if it is one that merges. */
  #offer(left: number, right: number, position: number): void {
    const rank = this.#table[this.#find(left, right) + RANK]!;
    if (rank !== NO_RANK) this.#heap.push(rank * POSITIONS + position);
  }

  #mergeLong(all: Int32Array, from: number, length: number): number {
    if (this.#next.length < length || this.#next.length > length + KEPT_SCRATCH) {
      this.#next = new Int32Array(Math.max(length, 256));
      this.#previous = new Int32Array(Math.max(length, 256));
    }
    const symbols = all.subarray(from, from + length);
    const table = this.#table, next = this.#next, previous = this.#previous, heap = this.#heap;
    heap.clear();
    for (let i = 0; i < length; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      if (i + 1 < length) this.#offer(symbols[i]!, symbols[i + 1]!, i);
    }
    while (heap.size > 0) {
      const key = heap.pop(), rank = Math.floor(key / POSITIONS), i = key - rank * POSITIONS;
      const j = next[i]!;
      if (symbols[i]! < 0 || j >= length) continue; // merged away, or nothing behind it any more
      const at = this.#find(symbols[i]!, symbols[j]!);
      if (table[at + RANK] !== rank) continue; // the pair has changed since
      symbols[i] = table[at + RESULT]!;
      symbols[j] = -1;
      const after = next[j]!, before = previous[i]!;
      next[i] = after;
      if (after < length) {
        previous[after] = i;
        this.#offer(symbols[i]!, symbols[after]!, i);
      }
      if (before >= 0) this.#offer(symbols[before]!, symbols[i]!, before);
    }
    let n = 0;
    for (let i = 0; i < length; i = next[i]!) symbols[n++] = symbols[i]!;
    return n;
  }
}

/** A binary heap of numbers, the least on top. */
class MinHeap {
  size = 0;
  #keys = new Float64Array(256);

  /** Forgets all keys, and the memory of a giant word. */
  clear(): void {
    this.size = 0;
    if (this.#keys.length > KEPT_SCRATCH) this.#keys = new Float64Array(256);
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
