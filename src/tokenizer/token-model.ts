// What a tokenizer is made of besides its special tokens. Layer: tokenizer (pure).
// A model turns ordinary text into ids and an id into bytes; Tokenizer adds special tokens, templates and streaming.
// Another algorithm (Unigram, WordPiece) is another file with a class that implements this.

import type { IdBuffer } from './id-buffer.ts';

/** An algorithm with its vocabulary. */
export interface TokenModel {
  /** Which algorithm: `byte-bpe`, `characters`. */
  readonly kind: string;
  /** Largest id + 1. */
  readonly vocabSize: number;
  /**
   * Appends the ids of a text.
   *
   * @throws {ConfigError} if the vocabulary cannot write the text (never for a full byte alphabet)
   */
  encode(text: string, out: IdBuffer): void;
  /** The bytes that an id stands for; undefined if there is no such id. */
  bytesOf(id: number): Uint8Array | undefined;
  /** The token as the vocabulary spells it (byte-level models: Ġ for a blank). */
  tokenOf(id: number): string | undefined;
  idOf(token: string): number | undefined;
  /** The sections `normalizer`, `pre_tokenizer`, `decoder` and `model` of a tokenizer.json, each as JSON text. */
  toJson(): Record<'normalizer' | 'pre_tokenizer' | 'decoder' | 'model', string>;
}

/** The JSON text of a vocabulary, written by hand: as an object it would reorder "1" and mistake "__proto__". */
export function vocabularyJson(tokens: readonly (string | undefined)[]): string {
  const entries: string[] = [];
  tokens.forEach((token, id) => {
    if (token !== undefined) entries.push(`${JSON.stringify(token)}:${id}`);
  });
  return `{${entries.join(',')}}`;
}
