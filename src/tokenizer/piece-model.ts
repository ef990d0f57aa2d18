// What encodes a piece of text that others have cut. Layer: tokenizer (pure).
// Another algorithm is another file with a class that implements this: merge-bpe.ts, unigram.ts, word-piece.ts.

import type { AddedToken } from './added-tokens.ts';
import type { IdBuffer } from './id-buffer.ts';

/** An algorithm with its vocabulary, behind normalizer and pre-tokenizer. */
export interface PieceModel {
  /** Which algorithm, as in a tokenizer.json: `BPE`, `Unigram`, `WordPiece`. */
  readonly type: string;
  /** Tokens by id. */
  readonly tokens: readonly (string | undefined)[];
  /** Tokens that are taken whole wherever they stand, if there are such. */
  readonly wholes?: readonly AddedToken[];
  /**
   * Appends the ids of a piece.
   *
   * @param spans gets, for each id, where in the piece its text begins and ends (UTF-16 units)
   * @throws {ConfigError} if the vocabulary cannot write the piece
   */
  encodePiece(piece: string, out: IdBuffer, spans?: IdBuffer): void;
  idOf(token: string): number | undefined;
  /** The section `model` of a tokenizer.json. */
  toJson(): string;
}

/** Pieces seen before, and their ids: one as a number, more as a list. */
export class WordCache {
  #map = new Map<string, number | Uint32Array>();
  readonly #capacity: number;

  /** @param capacity how many pieces are kept; one more, and all are forgotten */
  constructor(capacity = 1 << 16) {
    this.#capacity = capacity;
  }

  /** Appends the ids of a piece if it is known. */
  copy(piece: string, out: IdBuffer): boolean {
    const ids = this.#map.get(piece);
    if (ids === undefined) return false;
    if (typeof ids === 'number') {
      out.push(ids);
      return true;
    }
    out.reserve(ids.length);
    for (let i = 0; i < ids.length; i++) out.data[out.length++] = ids[i]!;
    return true;
  }

  /** Remembers that a piece became the ids in `out` from `from` on. */
  store(piece: string, out: IdBuffer, from: number): void {
    if (this.#map.size >= this.#capacity) this.#map = new Map();
    // A slice would keep the whole text that it was cut from alive.
    this.#map.set(detached(piece), out.length === from + 1 ? out.data[from]! : out.data.slice(from, out.length));
  }
}

/** A copy of a short string that shares no memory with a longer one. V8 copies slices of up to 12 units by itself. */
function detached(text: string): string {
  return text.length < 13 ? text : JSON.parse(JSON.stringify(text)) as string;
}
