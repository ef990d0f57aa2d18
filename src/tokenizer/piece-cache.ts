// The ids of pieces seen before. Layer: tokenizer (pure).
// A value is one id, or (negative) ~where in the list of longer ones: their count, then the ids.

import { grown } from './grown.ts';
import type { IdBuffer } from './id-buffer.ts';
import { WordTable } from './word-table.ts';

/** The value of a piece that is not there. */
export const MISSING = -0x80000000;

/** From the bytes of a piece to its ids. */
export class PieceCache {
  readonly #words = new WordTable();
  readonly #capacity: number;
  #newest = 0; // the record that waits for its value
  #lists = new Int32Array(4096);
  #listsUsed = 0;

  /** @param capacity how many pieces are kept; one more, and all are forgotten */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The value of a piece; MISSING the first time, and then `store` must follow before the next call. */
  find(view: DataView, start: number, length: number): number {
    const known = this.#words.size;
    this.#newest = this.#words.recordOf(view, start, length);
    if (this.#words.size === known) return this.#words.valueOf(this.#newest);
    if (known >= this.#capacity) { // it was added as one too many: start anew with it
      this.clear();
      this.#newest = this.#words.recordOf(view, start, length);
    }
    return MISSING;
  }

  /** Gives the piece that was missing its ids. @returns its value */
  store(ids: Int32Array, count: number): number {
    let value = ids[0]!;
    if (count !== 1) {
      if (this.#listsUsed + count + 1 > this.#lists.length) this.#lists = grown(this.#lists, this.#listsUsed + count + 1);
      value = ~this.#listsUsed;
      this.#lists[this.#listsUsed++] = count;
      for (let i = 0; i < count; i++) this.#lists[this.#listsUsed++] = ids[i]!;
    }
    this.#words.setValue(this.#newest, value);
    return value;
  }

  /** Appends the ids behind a negative value; `out` has room. */
  copyTo(out: IdBuffer, value: number): void {
    const lists = this.#lists, at = ~value, count = lists[at]!, { data } = out;
    for (let i = 1; i <= count; i++) data[out.length++] = lists[at + i]!;
  }

  clear(): void {
    this.#words.clear();
    this.#listsUsed = 0;
  }
}
