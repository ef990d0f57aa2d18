// What a tokenizer is made of besides its added tokens. Layer: tokenizer (pure).
// A model turns ordinary text into ids and ids back; Tokenizer adds special tokens, templates and streaming.
// ByteBpe and Characters do all of it at once, and fast; Pipeline joins parts (normalizer, pre-tokenizer, piece model, decoder).

import type { AlignedText } from './aligned-text.ts';
import type { Decoder } from './decoders.ts';
import type { IdBuffer } from './id-buffer.ts';

/** An algorithm with its vocabulary. */
export interface TokenModel {
  /** Which algorithm: `byte-bpe`, `characters`, `pipeline`. */
  readonly kind: string;
  /** Largest id + 1. */
  readonly vocabSize: number;
  /** What is done to a text before anything else, such as NFC. */
  normalize(text: AlignedText): AlignedText;
  /**
   * Appends the ids of a normalized text.
   *
   * @param spans gets, for each id, where its text begins and ends in the original; the text must have its places
   * @throws {ConfigError} if the vocabulary cannot write the text (never for a full byte alphabet)
   */
  encode(text: AlignedText, out: IdBuffer, spans?: IdBuffer): void;
  /** How tokens become text; undefined where text is no more than the bytes of all tokens. */
  readonly decoder: Decoder | undefined;
  /** The bytes that an id stands for amid others; undefined if there is no such id. */
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

/** The JSON text of merges, in the order of their ranks. @param merges triples, as in merge-table.ts */
export function mergesJson(tokens: readonly (string | undefined)[], merges: Int32Array, ranks?: Int32Array): string {
  const order = Array.from({ length: merges.length / 3 }, (_, i) => i);
  if (ranks !== undefined) order.sort((a, b) => ranks[a]! - ranks[b]!);
  return `[${order.map((i) => JSON.stringify([tokens[merges[3 * i]!], tokens[merges[3 * i + 1]!]])).join(',')}]`;
}
