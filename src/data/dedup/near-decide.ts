// Decides about near-copies from the indexes of all parts. Layer: data (file access). See near.ts.

import { jaccard, Shingler, SIGNATURE_LENGTH } from '../shingles.ts';
import type { DecideContext, IndexedPart } from '../stage.ts';
import type { BandPreset } from './minhash.ts';
import { SortedPairs } from './sorted-pairs.ts';
import { WordFile } from './word-file.ts';

/** Proposed pairs whose estimate lies this far below the threshold are not verified: more than five standard errors. */
const ESTIMATE_SLACK = 0.2;
/**
 * Members of a group that each later one is paired with, from its beginning and just before it: a family of n copies would
 * have n² pairs, and nearly always its first member is the one that stays.
 */
const FIRST_MEMBERS = 32, LAST_MEMBERS = 32;

/** Settles every document that is near to an earlier one that is kept. */
export async function decideNear(preset: BandPreset, threshold: number, parts: readonly IndexedPart[], context: DecideContext): Promise<void> {
  const index = new NearIndex(parts, preset.bands);
  try {
    const pairs = new SortedPairs(context.scratch, context.memory / 4);
    for (let band = 0; band < preset.bands; band++) {
      index.propose(band, context.memory / 4, pairs);
      await context.step(band, preset.bands);
    }
    const isDropped = new Uint8Array(Math.ceil(index.size / 8)), sets = new Sets(index, context.memory / 4);
    for (const [later, earlier] of pairs.sorted()) {
      const own = index.place(later);
      if (parts[own.part]!.settled || (isDropped[later >> 3]! & (1 << (later & 7))) !== 0 || (isDropped[earlier >> 3]! & (1 << (earlier & 7))) !== 0) continue;
      const estimate = index.estimate(later, earlier);
      if (preset.verify && estimate < threshold - ESTIMATE_SLACK) continue;
      const similarity = preset.verify ? jaccard(sets.of(later), sets.of(earlier)) : estimate;
      if (preset.verify && similarity < threshold) continue;
      isDropped[later >> 3]! |= 1 << (later & 7);
      const other = index.place(earlier), { id } = parts[other.part]!.document(other.n);
      context.settle(own.part, { n: own.n, reason: 'near', detail: `${preset.verify ? '' : 'about '}${similarity.toFixed(2)} like ${id}${preset.verify ? ` (threshold ${threshold})` : ''}` });
      await context.step(later, index.size);
    }
  } finally {
    index.close();
  }
}

type FileBlock = { file: WordFile; at: number; count: number; first: number };

/** The indexes of all parts as one row of documents. */
class NearIndex {
  readonly size: number;
  readonly parts: readonly IndexedPart[];
  readonly #files: WordFile[] = [];
  readonly #blocks: FileBlock[] = [];
  /** Number of each document in its part; first document of each part in the row. */
  readonly #numbers: Uint32Array;
  readonly #firsts: number[] = [];
  readonly #a = new Uint32Array(SIGNATURE_LENGTH);
  readonly #b = new Uint32Array(SIGNATURE_LENGTH);
  #held = -1;

  constructor(parts: readonly IndexedPart[], bands: number) {
    this.parts = parts;
    const head = new Uint32Array(1);
    let size = 0;
    for (const { file: path } of parts) {
      const file = new WordFile(path);
      this.#files.push(file);
      this.#firsts.push(size);
      for (let at = 0; at < file.length;) {
        file.read(head, at);
        const [count] = head as unknown as [number];
        this.#blocks.push({ file, at, count, first: size });
        size += count;
        at += 1 + count * (1 + SIGNATURE_LENGTH + bands);
      }
    }
    this.size = size;
    this.#numbers = new Uint32Array(size);
    for (const { file, at, count, first } of this.#blocks) file.read(this.#numbers.subarray(first, first + count), at + 1);
  }

  place(document: number): { part: number; n: number } {
    return { part: lastAtMost(this.#firsts, document), n: this.#numbers[document]! };
  }

  /** Pairs of documents that agree in a band. */
  propose(band: number, memory: number, pairs: SortedPairs): void {
    const ranges = Math.max(1, Math.ceil((8 * this.size) / memory));
    for (let range = 0; range < ranges; range++) {
      const capacity = ranges === 1 ? this.size : this.#count(band, range, ranges), entries = new BigUint64Array(capacity), words = new Uint32Array(entries.buffer);
      let length = 0;
      for (const { column, first } of this.#columns(band)) {
        for (let i = 0; i < column.length; i++) {
          if (ranges > 1 && column[i]! % ranges !== range) continue;
          words[2 * length] = first + i; // little-endian: the band's word is the upper half
          words[2 * length++ + 1] = column[i]!;
        }
      }
      entries.sort();
      for (let from = 0; from < length;) {
        const hash = words[2 * from + 1]!;
        let to = from + 1;
        while (to < length && words[2 * to + 1] === hash) to++;
        this.#pairUp(words, from, to, pairs);
        from = to;
      }
    }
  }

  /** The share of equal numbers in two signatures. */
  estimate(a: number, b: number): number {
    if (this.#held !== a) this.#signature(a, this.#a);
    this.#held = a;
    this.#signature(b, this.#b);
    let equal = 0;
    for (let i = 0; i < SIGNATURE_LENGTH; i++) if (this.#a[i] === this.#b[i]) equal++;
    return equal / SIGNATURE_LENGTH;
  }

  close(): void {
    for (const file of this.#files) file.close();
  }

  #pairUp(words: Uint32Array, from: number, to: number, pairs: SortedPairs): void {
    for (let i = from + 1; i < to; i++) {
      for (let j = from; j < i; j++) {
        if (j >= from + FIRST_MEMBERS && j < i - LAST_MEMBERS) j = i - LAST_MEMBERS;
        pairs.add(words[2 * i]!, words[2 * j]!);
      }
    }
  }

  #count(band: number, range: number, ranges: number): number {
    let count = 0;
    for (const { column } of this.#columns(band)) for (let i = 0; i < column.length; i++) if (column[i]! % ranges === range) count++;
    return count;
  }

  *#columns(band: number): Generator<{ column: Uint32Array; first: number }> {
    for (const { file, at, count, first } of this.#blocks) {
      const column = new Uint32Array(count);
      file.read(column, at + 1 + count * (1 + SIGNATURE_LENGTH + band));
      yield { column, first };
    }
  }

  #signature(document: number, out: Uint32Array): void {
    let low = 0, high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle]!.first <= document) low = middle;
      else high = middle - 1;
    }
    const { file, at, count, first } = this.#blocks[low]!;
    file.read(out, at + 1 + count + (document - first) * SIGNATURE_LENGTH);
  }
}

/** Index of the last element that is at most `value`; of equal ones the last, so that empty parts own nothing. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0, high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ascending[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Shingle sets of documents, those asked for lately kept within a bound. */
class Sets {
  readonly #index: NearIndex;
  readonly #most: number;
  readonly #shingler = new Shingler();
  readonly #sets = new Map<number, Uint32Array>();
  #bytes = 0;

  constructor(index: NearIndex, memory: number) {
    this.#index = index;
    this.#most = memory;
  }

  of(document: number): Uint32Array {
    const held = this.#sets.get(document);
    if (held !== undefined) return held;
    const { part, n } = this.#index.place(document), set = this.#shingler.shingleSet(this.#index.parts[part]!.document(n).text).slice();
    if (this.#bytes + set.byteLength > this.#most) {
      this.#sets.clear();
      this.#bytes = 0;
    }
    this.#sets.set(document, set);
    this.#bytes += set.byteLength;
    return set;
  }
}
