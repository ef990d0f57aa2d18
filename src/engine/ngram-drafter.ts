// Guessing by looking up: what followed the last tokens when they were there before. Layer: engine.
// Prompt lookup decoding (Saxena 2023; Yang et al. 2023, arXiv 2304.04487, with references): texts that quote, edit or sum up their prompt
// repeat long pieces of it.

import type { Drafter } from './drafter.ts';
import type { Sequence } from './sequence.ts';

/** Tokens that must match. With two, every "of the" is a match and few guesses are right; with four, pieces begin late. */
const NGRAM = 3;

export class NgramDrafter implements Drafter {
  readonly #indices = new Map<Sequence, NgramIndex>();

  reach(sequence: Sequence, most: number): number {
    let index = this.#indices.get(sequence);
    if (!index) this.#indices.set(sequence, index = new NgramIndex());
    return index.find(sequence.ids) === undefined ? 0 : most;
  }

  propose(sequences: readonly Sequence[], most: number): void {
    for (const sequence of sequences) {
      const index = this.#indices.get(sequence), at = index?.find(sequence.ids);
      sequence.draft = at === undefined ? [] : continued(sequence.ids, at, most);
    }
  }

  cost(): number {
    return 0;
  }

  forget(sequence: Sequence): void {
    this.#indices.delete(sequence);
  }

  async close(): Promise<void> {}
}

/** Where each run of NGRAM tokens ended last. */
export class NgramIndex {
  readonly #ends = new Map<number, number>();
  #indexed = NGRAM;
  #asked = -1;
  #found: number | undefined;

  /** The place after the last earlier occurrence of the last tokens. `ids` only ever grows. */
  find(ids: readonly number[]): number | undefined {
    if (this.#asked === ids.length) return this.#found;
    this.#asked = ids.length;
    for (; this.#indexed < ids.length; this.#indexed++) this.#ends.set(hash(ids, this.#indexed), this.#indexed);
    const at = ids.length < NGRAM ? undefined : this.#ends.get(hash(ids, ids.length));
    return (this.#found = at !== undefined && isSame(ids, at, ids.length) ? at : undefined);
  }
}

/** Of the tokens before `end`. */
function hash(ids: readonly number[], end: number): number {
  let h = 0;
  for (let i = end - NGRAM; i < end; i++) h = Math.imul(h ^ ids[i]!, 0x9e3779b1) + 0x7f4a7c15 | 0; // the golden ratio's bits
  return h;
}

function isSame(ids: readonly number[], a: number, b: number): boolean {
  for (let i = 1; i <= NGRAM; i++) if (ids[a - i] !== ids[b - i]) return false;
  return true;
}

/** The tokens from `at` on; where they come to the end, the guess itself goes on, so that a short period repeats. */
function continued(ids: readonly number[], at: number, n: number): number[] {
  const draft: number[] = [];
  for (let i = 0; i < n; i++) draft.push(at + i < ids.length ? ids[at + i]! : draft[at + i - ids.length]!);
  return draft;
}
