// A hash table from byte strings to dense indices: word counts in training, the word cache in encoding.
// Layer: tokenizer (pure). A JavaScript Map would need a string for each look-up. Keys are compared four bytes at a time,
// and a look-up touches two places in memory, the slot and the record.

import { grown } from './grown.ts';

const FIRST_SLOTS = 1 << 12;
const SLOT = 2; // of a slot: hash, record (0 for none)
const HEAD = 3; // of a record: index, length in bytes, a value of the user's; then the bytes, zero-padded to whole words of 32 bits
const TAIL_MASKS = Int32Array.of(-1, 0xff, 0xffff, 0xffffff); // by length modulo 4

/** Distinct byte strings, numbered in the order in which they came. */
export class WordTable {
  /** How many there are. */
  size = 0;
  #slots = new Int32Array(FIRST_SLOTS * SLOT);
  #records = new Int32Array(FIRST_SLOTS * 4);
  #recordsEnd = 1; // a record is never at 0, which means none

  /** The index of view[start..start+length), added if it is new (`size` then grew by one). */
  indexOf(view: DataView, start: number, length: number): number {
    const record = this.recordOf(view, start, length); // may replace #records
    return this.#records[record]!;
  }

  /** The value of a record, 0 at first. It lies beside the word, so that a look-up touches no third place. */
  valueOf(record: number): number {
    return this.#records[record + 2]!;
  }

  setValue(record: number, value: number): void {
    this.#records[record + 2] = value;
  }

  /**
   * The record of view[start..start+length), added if it is new (`size` then grew by one).
   *
   * @param view must be readable for three bytes behind the word
   */
  recordOf(view: DataView, start: number, length: number): number {
    const words = (length + 3) >> 2, lastMask = TAIL_MASKS[length & 3]!;
    let hash = length;
    for (let k = 0; k < words; k++) {
      let word = view.getInt32(start + k * 4, true);
      if (k === words - 1) word &= lastMask;
      hash = Math.imul((hash << 5 | hash >>> 27) ^ word, 0x9e3779b1); // rotate and multiply, as FxHash
    }
    hash ^= hash >>> 15;
    const slots = this.#slots, records = this.#records, mask = slots.length - 1;
    let slot = (hash * SLOT) & mask;
    for (let record = slots[slot + 1]!; record !== 0; record = slots[slot + 1]!) {
      if (slots[slot] === hash && records[record + 1] === length && sameWord(records, record + HEAD, view, start, words, lastMask)) {
        return record;
      }
      slot = (slot + SLOT) & mask;
    }
    slots[slot] = hash;
    slots[slot + 1] = this.#recordsEnd;
    return this.#add(view, start, length);
  }

  #add(view: DataView, start: number, length: number): number {
    const words = (length + 3) >> 2, record = this.#recordsEnd;
    this.#recordsEnd = record + HEAD + words;
    if (this.#recordsEnd > this.#records.length) this.#records = grown(this.#records, this.#recordsEnd);
    const records = this.#records;
    records[record] = this.size;
    records[record + 1] = length;
    records[record + 2] = 0;
    for (let k = 0; k < words; k++) records[record + HEAD + k] = view.getInt32(start + k * 4, true);
    if (words > 0) records[this.#recordsEnd - 1]! &= TAIL_MASKS[length & 3]!;
    this.size++;
    if (this.size * 2 * SLOT > this.#slots.length) this.#rehash();
    return record;
  }

  #rehash(): void {
    const old = this.#slots, slots = new Int32Array(old.length * 4), mask = slots.length - 1;
    for (let i = 0; i < old.length; i += SLOT) {
      if (old[i + 1] === 0) continue;
      let slot = (old[i]! * SLOT) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + SLOT) & mask;
      slots[slot] = old[i]!;
      slots[slot + 1] = old[i + 1]!;
    }
    this.#slots = slots;
  }

  /** All words' bytes one after another, and where each ends. */
  flatten(): { bytes: Uint8Array<ArrayBuffer>; ends: Uint32Array<ArrayBuffer> } {
    const records = this.#records, ends = new Uint32Array(this.size);
    let length = 0;
    for (let record = 1; record < this.#recordsEnd; record += HEAD + ((records[record + 1]! + 3) >> 2)) {
      ends[records[record]!] = length += records[record + 1]!;
    }
    const bytes = new Uint8Array(length);
    for (let record = 1, at = 0; record < this.#recordsEnd; record += HEAD + ((records[record + 1]! + 3) >> 2)) {
      const size = records[record + 1]!;
      // Words were read little-endian; writing them byte by byte keeps the order on any machine.
      for (let i = 0; i < size; i++) bytes[at++] = records[record + HEAD + (i >> 2)]! >>> ((i & 3) * 8);
    }
    return { bytes, ends };
  }

  /** Forgets all words, keeping the room. */
  clear(): void {
    this.size = 0;
    this.#recordsEnd = 1;
    this.#slots.fill(0);
  }
}

/** Whether the key at records[at..] is the word at `start`. */
function sameWord(records: Int32Array, at: number, view: DataView, start: number, words: number, lastMask: number): boolean {
  const last = words - 1;
  for (let k = 0; k < last; k++) if (records[at + k] !== view.getInt32(start + k * 4, true)) return false;
  return words === 0 || records[at + last] === (view.getInt32(start + last * 4, true) & lastMask);
}
