// WordPiece: a word from left to right by the longest token that fits; BERT's. Layer: tokenizer (pure).
// Source: Devlin et al. 2018, arXiv 1810.04805; github.com/huggingface/tokenizers 0.23, tokenizers/src/models/wordpiece.

import { ConfigError } from '../base/errors.ts';
import type { IdBuffer } from './id-buffer.ts';
import { WordCache, type PieceModel } from './piece-model.ts';
import { vocabularyJson } from './token-model.ts';

export interface WordPieceFields {
  readonly tokens: readonly (string | undefined)[];
  /** The token of words that cannot be written. */
  readonly unknown: number;
  /** What tokens inside of words begin with: `##`. */
  readonly prefix: string;
  /** Words of more characters are unknown. */
  readonly longestWord: number;
  /** Ids in `tokens` that text must never give. */
  readonly reserved?: ReadonlySet<number>;
}

/** See the file's header. */
export class WordPiece implements PieceModel {
  readonly type = 'WordPiece';
  readonly tokens: readonly (string | undefined)[];
  readonly #fields: WordPieceFields;
  readonly #ids = new Map<string, number>();
  readonly #longest: number; // units of the longest token
  readonly #cache = new WordCache();

  constructor(fields: WordPieceFields) {
    this.#fields = fields;
    this.tokens = fields.tokens;
    let longest = 0;
    fields.tokens.forEach((token, id) => {
      if (token === undefined) return;
      this.#ids.set(token, id);
      longest = Math.max(longest, token.length);
    });
    this.#longest = longest;
    if (fields.tokens[fields.unknown] === undefined) throw new ConfigError('Cannot make a WordPiece vocabulary: it has no token for the unknown.');
  }

  encodePiece(piece: string, out: IdBuffer, spans?: IdBuffer): void {
    if (spans !== undefined) this.#encode(piece, out, spans);
    else if (!this.#cache.copy(piece, out)) {
      const from = out.length;
      this.#encode(piece, out);
      if (piece.length <= this.#fields.longestWord) this.#cache.store(piece, out, from);
    }
  }

  #encode(piece: string, out: IdBuffer, spans?: IdBuffer): void {
    const first = out.length, firstSpan = spans?.length ?? 0;
    let at = this.#isTooLong(piece) ? -1 : 0;
    while (at >= 0 && at < piece.length) {
      const { id, to } = this.#longestAt(piece, at);
      if (id < 0) {
        at = -1;
        break;
      }
      out.push(id);
      spans?.push(at);
      spans?.push(to);
      at = to;
    }
    if (at >= 0) return;
    out.length = first; // one part that cannot be written, and the whole word is unknown
    out.push(this.#fields.unknown);
    if (spans === undefined) return;
    spans.length = firstSpan;
    spans.push(0);
    spans.push(piece.length);
  }

  #isTooLong(piece: string): boolean {
    const { longestWord } = this.#fields;
    return piece.length > longestWord && (piece.length > 2 * longestWord || [...piece].length > longestWord);
  }

  #longestAt(piece: string, from: number): { id: number; to: number } {
    const { prefix, reserved } = this.#fields, start = from === 0 ? '' : prefix;
    for (let to = Math.min(piece.length, from + this.#longest); to > from; to--) {
      if ((piece.charCodeAt(to - 1) & 0xfc00) === 0xd800) continue; // half of a character
      const id = this.#ids.get(start + piece.slice(from, to));
      if (id !== undefined && !reserved?.has(id)) return { id, to };
    }
    return { id: -1, to: from };
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  toJson(): string {
    const { tokens, unknown, prefix, longestWord } = this.#fields;
    const model = JSON.stringify({ type: 'WordPiece', unk_token: tokens[unknown], continuing_subword_prefix: prefix, max_input_chars_per_word: longestWord });
    return `${model.slice(0, -1)},"vocab":${vocabularyJson(tokens)}}`;
  }
}
