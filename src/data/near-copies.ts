// Finds near-copies: MinHash signatures in bands propose, exact Jaccard decides. Layer: data (pure).
// Documents are asked and added in order, so that the result depends on nothing else.

import { jaccard, SIGNATURE_LENGTH } from './shingles.ts';

/** 32 bands of 4: a pair of similarity 0.8 is proposed but for 1 in 10^7, one of 0.5 with probability 0.87. */
const BANDS = 32;
const ROWS = SIGNATURE_LENGTH / BANDS;
/** Proposed pairs whose estimate lies this far below the threshold are not verified: more than five standard errors. */
const ESTIMATE_SLACK = 0.2;
/** Shingle sets kept at hand, in numbers (4 bytes each): copies often come in families. */
const CACHE_NUMBERS = 2 ** 23;

/** What the index must know about documents: numbered 0 … size-1. */
export type NearCopySource = {
  size: number;
  /** Signatures one after the other, [size · SIGNATURE_LENGTH]. */
  signatures: Uint32Array;
  /** Whether a document has a signature. */
  has(index: number): boolean;
  /** The shingle set of a document, ascending; called for proposed pairs only. */
  shingleSet(index: number): Uint32Array;
};

/** A set of documents that can be asked for a near-copy of another. */
export class NearCopyIndex {
  readonly #source: NearCopySource;
  readonly #mask: number;
  /** First document of each chain, by band and slot; the next of each document, by band; -1 ends a chain. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  /** Last question that proposed a document, so that it is looked at once. */
  readonly #seen: Int32Array;
  readonly #sets = new Map<number, Uint32Array>();
  #cached = 0;
  #query = 0;

  constructor(source: NearCopySource) {
    this.#source = source;
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, source.size)));
    this.#mask = slots - 1;
    this.#heads = new Int32Array(BANDS * slots).fill(-1);
    this.#next = new Int32Array(BANDS * source.size).fill(-1);
    this.#seen = new Int32Array(source.size).fill(-1);
  }

  /** Adds a document, to be found by later questions. */
  add(index: number): void {
    if (!this.#source.has(index)) return;
    for (let band = 0; band < BANDS; band++) {
      const head = this.#slot(index, band);
      this.#next[index * BANDS + band] = this.#heads[head]!;
      this.#heads[head] = index;
    }
  }

  /**
   * The first added document whose Jaccard similarity with this one is at least the threshold.
   *
   * @returns its number and the similarity, or undefined
   */
  find(index: number, threshold: number): { index: number; similarity: number } | undefined {
    if (!this.#source.has(index)) return undefined;
    for (const other of this.#candidates(index, threshold - ESTIMATE_SLACK).sort((a, b) => a - b)) {
      const similarity = jaccard(this.#set(index), this.#set(other));
      if (similarity >= threshold) return { index: other, similarity };
    }
    return undefined;
  }

  #candidates(index: number, least: number): number[] {
    const { signatures } = this.#source, found: number[] = [], own = index * SIGNATURE_LENGTH, query = this.#query++;
    for (let band = 0; band < BANDS; band++) {
      for (let other = this.#heads[this.#slot(index, band)]!; other >= 0; other = this.#next[other * BANDS + band]!) {
        if (this.#seen[other] === query || other === index) continue;
        this.#seen[other] = query;
        let equal = 0;
        for (let i = 0, at = other * SIGNATURE_LENGTH; i < SIGNATURE_LENGTH; i++) if (signatures[own + i] === signatures[at + i]) equal++;
        if (equal >= least * SIGNATURE_LENGTH) found.push(other);
      }
    }
    return found;
  }

  #slot(index: number, band: number): number {
    const { signatures } = this.#source, from = index * SIGNATURE_LENGTH + band * ROWS;
    let hash = band;
    for (let i = 0; i < ROWS; i++) hash = Math.imul(hash ^ signatures[from + i]!, 0x01000193) ^ (hash >>> 15);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return band * (this.#mask + 1) + ((hash ^ (hash >>> 13)) & this.#mask);
  }

  #set(index: number): Uint32Array {
    let set = this.#sets.get(index);
    if (set !== undefined) return set;
    if (this.#cached > CACHE_NUMBERS) {
      this.#sets.clear();
      this.#cached = 0;
    }
    set = this.#source.shingleSet(index);
    this.#sets.set(index, set);
    this.#cached += set.length;
    return set;
  }
}
