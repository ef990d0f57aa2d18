// A hash table from byte strings to dense indices: word counts in training, the word cache in encoding.
// Layer: tokenizer (pure). Keys are kept in one array of 32-bit words, zero-padded, and compared four bytes at a time;
// a JavaScript Map would need a string for each look-up.

import { grown } from './grown.ts';

const FIRST_SLOTS = 1 << 12;
const TAIL_MASKS = Int32Array.of(-1, 0xff, 0xffff, 0xffffff); // by length modulo 4

/** Distinct byte strings, numbered in the order in which they came. */
export class WordTable {
  /** How many there are. */
  size = 0;
  #slots = new Int32Array(FIRST_SLOTS); // index + 1; 0 is empty
  #hashes = new Int32Array(FIRST_SLOTS);
  #starts = new Int32Array(FIRST_SLOTS); // in #keys
  #lengths = new Int32Array(FIRST_SLOTS); // in bytes
  #keys = new Int32Array(FIRST_SLOTS * 2);
  #keysUsed = 0;

  /**
   * The index of view[start..start+length), added if it is new (`size` then grew by one).
   *
   * @param view must be readable for three bytes behind the word
   */
  indexOf(view: DataView, start: number, length: number): number {
    const words = (length + 3) >> 2, lastMask = TAIL_MASKS[length & 3]!;
    let hash = length;
    for (let k = 0; k < words; k++) {
      let word = view.getInt32(start + k * 4, true);
      if (k === words - 1) word &= lastMask;
      hash = Math.imul((hash << 5 | hash >>> 27) ^ word, 0x9e3779b1); // multiply and rotate, as FxHash
    }
    hash ^= hash >>> 15;
    const slots = this.#slots, mask = slots.length - 1;
    let slot = hash & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      const index = entry - 1;
      if (this.#hashes[index] === hash && this.#lengths[index] === length && this.#equals(index, view, start, words, lastMask)) {
        return index;
      }
      slot = (slot + 1) & mask;
    }
    slots[slot] = this.size + 1;
    return this.#add(hash, view, start, length);
  }

  /** Whether the key of `index` is the word at `start`. */
  #equals(index: number, view: DataView, start: number, words: number, lastMask: number): boolean {
    const keys = this.#keys, base = this.#starts[index]!, last = words - 1;
    for (let k = 0; k < last; k++) if (keys[base + k] !== view.getInt32(start + k * 4, true)) return false;
    return words === 0 || keys[base + last] === (view.getInt32(start + last * 4, true) & lastMask);
  }

  #add(hash: number, view: DataView, start: number, length: number): number {
    const index = this.size++, words = (length + 3) >> 2;
    if (index >= this.#hashes.length) {
      this.#hashes = grown(this.#hashes, 0);
      this.#starts = grown(this.#starts, 0);
      this.#lengths = grown(this.#lengths, 0);
    }
    if (this.#keysUsed + words > this.#keys.length) this.#keys = grown(this.#keys, this.#keysUsed + words);
    this.#hashes[index] = hash;
    this.#starts[index] = this.#keysUsed;
    this.#lengths[index] = length;
    for (let k = 0; k < words; k++) this.#keys[this.#keysUsed + k] = view.getInt32(start + k * 4, true);
    if (words > 0) this.#keys[this.#keysUsed + words - 1]! &= TAIL_MASKS[length & 3]!;
    this.#keysUsed += words;
    if (this.size * 2 > this.#slots.length) this.#rehash();
    return index;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 4), mask = slots.length - 1;
    for (let index = 0; index < this.size; index++) {
      let slot = this.#hashes[index]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }

  /** The length in bytes of the word `index`. */
  lengthOf(index: number): number {
    return this.#lengths[index]!;
  }

  /** The bytes of the word `index`. */
  bytesOf(index: number): Uint8Array {
    // Keys were read little-endian; writing them byte by byte keeps the order on any machine.
    const out = new Uint8Array(this.#lengths[index]!), start = this.#starts[index]!;
    for (let i = 0; i < out.length; i++) out[i] = this.#keys[start + (i >> 2)]! >>> ((i & 3) * 8);
    return out;
  }

  /** Forgets all words, keeping the room. */
  clear(): void {
    this.size = 0;
    this.#keysUsed = 0;
    this.#slots.fill(0);
  }
}
