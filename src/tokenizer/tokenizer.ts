// The tokenizer: a model, added tokens and the template that frames a text. Layer: tokenizer (pure).

import { ConfigError } from '../base/errors.ts';
import { AddedTokens, type AddedToken } from './added-tokens.ts';
import { AlignedText } from './aligned-text.ts';
import { decodeAll } from './decoders.ts';
import { IdBuffer } from './id-buffer.ts';
import { trimSpans, type SpanTrim } from './span-trim.ts';
import { TokenDecoder, unknownId } from './token-decoder.ts';
import type { TokenModel } from './token-model.ts';

export type { AddedToken } from './added-tokens.ts';

/** What `encode` may do besides encoding the text. */
export interface EncodeOptions {
  /** Frame the text as the tokenizer's file says, for instance by a token at its start. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Special tokens that the text may name. Default: none, so that "<|endoftext|>" is thirteen characters like any others. */
  readonly allowedSpecial?: 'all' | Iterable<string>;
}

/** Ids around one text, and around and between two. */
export interface Template {
  readonly prefix: readonly number[];
  readonly suffix: readonly number[];
  /** The section `post_processor` of the tokenizer.json that it came from, as JSON text. */
  readonly json?: string;
}

/** What a tokenizer is made of. */
export interface TokenizerFields {
  readonly model: TokenModel;
  readonly added?: readonly AddedToken[];
  /** Ids put before and behind a text. */
  readonly template?: Template;
  /** White space that offsets leave out. */
  readonly trim?: SpanTrim | undefined;
}

/** Ids, and for each where its text begins and ends in the original. */
export interface Encoding {
  readonly ids: Uint32Array;
  /** Two for each id, in UTF-16 units of the text given; 0 and 0 for the ids of the template. */
  readonly offsets: Uint32Array;
}

/** Finders of added tokens: in the text as it is, and in the normalized text. */
interface Finders {
  readonly plain: AddedTokens;
  readonly normalized: AddedTokens;
}

/**
 * Text to token ids and back. With byte-level and character vocabularies any text comes back as it was, but for lone
 * surrogates (no UTF-8 can hold them): they become U+FFFD. What others lose, their files say (a normalizer, a blank).
 *
 * @example
 * const tokenizer = await trainBpe(['to be or not to be'], { vocabSize: 260 });
 * tokenizer.decode(tokenizer.encode('to be')); // 'to be'
 */
export class Tokenizer {
  readonly model: TokenModel;
  readonly added: readonly AddedToken[];
  readonly template: Template;
  readonly trim: SpanTrim | undefined;
  /** Largest id + 1: the rows that an embedding needs. */
  readonly vocabSize: number;
  /** Ids of the special tokens by their text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly #addedById: ReadonlyMap<number, AddedToken>;
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #encoder = new TextEncoder();
  readonly #ordinary: Finders;
  #everything: Finders | undefined;

  /** @throws {ConfigError} if two added tokens share a text or an id */
  constructor(fields: TokenizerFields) {
    this.model = fields.model;
    this.added = [...(fields.added ?? [])].sort((a, b) => a.id - b.id);
    this.template = fields.template ?? { prefix: [], suffix: [] };
    this.trim = fields.trim;
    this.#addedById = new Map(this.added.map((token) => [token.id, token]));
    this.#addedIds = new Map(this.added.map((token) => [token.content, token.id]));
    if (this.#addedById.size !== this.added.length || this.#addedIds.size !== this.added.length) {
      throw new ConfigError('Cannot make a tokenizer: two added tokens have the same text or the same id.');
    }
    this.specialTokens = new Map(this.added.filter((token) => token.special).map((token) => [token.content, token.id]));
    this.vocabSize = this.added.reduce((size, token) => Math.max(size, token.id + 1), this.model.vocabSize);
    this.#ordinary = this.#findersOf(this.added.filter((token) => !token.special));
  }

  #findersOf(tokens: readonly AddedToken[]): Finders {
    const spelling = ({ content }: AddedToken): string => this.model.normalize(AlignedText.of(content, false)).text;
    return {
      plain: new AddedTokens(tokens.filter(({ normalized }) => !normalized)),
      normalized: new AddedTokens(tokens.filter(({ normalized }) => normalized), spelling),
    };
  }

  /**
   * The ids of a text.
   *
   * @throws {ConfigError} if `allowedSpecial` names no special token, or the vocabulary cannot write the text (only
   *   vocabularies without all bytes, such as character-level ones)
   */
  encode(text: string, options: EncodeOptions = {}): Uint32Array {
    const out = new IdBuffer(Math.ceil(text.length / 3) + 16);
    const frame = options.addSpecialTokens ?? true;
    if (frame) { for (const id of this.template.prefix) out.push(id); }
    this.#encode(text, options, out);
    if (frame) { for (const id of this.template.suffix) out.push(id); }
    return out.take();
  }

  /**
   * The ids of a text and where each comes from, as in Hugging Face tokenizers, but in UTF-16 units. A token of some bytes
   * of a character has the place of the whole character; what a normalizer put in has that of the character beside it.
   *
   * @throws {ConfigError} as `encode`
   */
  encodeWithOffsets(text: string, options: EncodeOptions = {}): Encoding {
    const out = new IdBuffer(), spans = new IdBuffer(), frame = options.addSpecialTokens ?? true;
    this.#encode(text, options, out, spans);
    if (this.trim !== undefined) trimSpans(this.trim, text, out, spans, (id) => (this.#addedById.has(id) ? undefined : this.model.tokenOf(id)));
    const { prefix, suffix } = frame ? this.template : { prefix: [], suffix: [] };
    const offsets = new Uint32Array(2 * (prefix.length + out.length + suffix.length));
    offsets.set(spans.take(), 2 * prefix.length);
    return { ids: Uint32Array.from([...prefix, ...out.take(), ...suffix]), offsets };
  }

  #encode(text: string, options: EncodeOptions, out: IdBuffer, spans?: IdBuffer): void {
    const { plain, normalized } = this.#findersFor(options.allowedSpecial);
    const whole = AlignedText.of(text.isWellFormed() ? text : text.toWellFormed(), spans !== undefined);
    eachStretch(plain, whole, out, spans, (part) => {
      eachStretch(normalized, this.model.normalize(part), out, spans, (rest) => this.model.encode(rest, out, spans));
    });
  }

  #findersFor(allowed: EncodeOptions['allowedSpecial']): Finders {
    if (allowed === undefined) return this.#ordinary;
    if (allowed === 'all') return (this.#everything ??= this.#findersOf(this.added));
    const names = new Set(allowed);
    for (const name of names) {
      if (this.specialTokens.has(name)) continue;
      const known = [...this.specialTokens.keys()].join(' ') || 'none';
      throw new ConfigError(`Cannot allow the special token "${name}": this tokenizer's special tokens are ${known}.`, { path: 'allowedSpecial' });
    }
    return this.#findersOf(this.added.filter((token) => !token.special || names.has(token.content)));
  }

  /**
   * The text of ids. Bytes that are no UTF-8 (a character cut in two) come out as U+FFFD.
   *
   * @throws {ConfigError} if an id is not in the vocabulary
   */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const { decoder } = this.model;
    if (decoder !== undefined) return decodeAll(decoder, this.#spelled(ids, options.skipSpecialTokens ?? false));
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const id of ids) {
      const bytes = this.bytesOf(id);
      if (options.skipSpecialTokens && this.isSpecial(id)) continue;
      parts.push(bytes);
      length += bytes.length;
    }
    const joined = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(joined);
  }

  *#spelled(ids: Iterable<number>, skipSpecialTokens: boolean): Generator<string> {
    for (const id of ids) {
      const token = this.tokenOf(id);
      if (token === undefined) throw unknownId(id, this.vocabSize);
      if (!skipSpecialTokens || !this.isSpecial(id)) yield token;
    }
  }

  /** A decoder for a stream of ids. */
  decoder(options: { skipSpecialTokens?: boolean } = {}): TokenDecoder {
    return new TokenDecoder(this, options);
  }

  /** The UTF-8 bytes that an id stands for, amid others. @throws {ConfigError} if there is no such id */
  bytesOf(id: number): Uint8Array {
    const added = this.#addedById.get(id);
    const bytes = added === undefined ? this.model.bytesOf(id) : this.#encoder.encode(added.content);
    if (bytes === undefined) throw unknownId(id, this.vocabSize);
    return bytes;
  }

  /** The token as tokenizer.json spells it (byte-level: "Ġthe" for " the"); undefined if there is no such id. */
  tokenOf(id: number): string | undefined {
    return this.#addedById.get(id)?.content ?? this.model.tokenOf(id);
  }

  /** The id of a token, spelled as `tokenOf` gives it. */
  idOf(token: string): number | undefined {
    return this.#addedIds.get(token) ?? this.model.idOf(token);
  }

  isSpecial(id: number): boolean {
    return this.#addedById.get(id)?.special ?? false;
  }
}

/** Appends the added tokens of a text, and hands on what lies between them. */
function eachStretch(finder: AddedTokens, text: AlignedText, out: IdBuffer, spans: IdBuffer | undefined, rest: (text: AlignedText) => void): void {
  if (finder.isEmpty) {
    if (text.text !== '') rest(text);
    return;
  }
  for (const { from, to, token } of finder.split(text.text)) {
    if (token === undefined) rest(text.slice(from, to));
    else {
      out.push(token.id);
      spans?.push(text.starts![from]!);
      spans?.push(text.ends![to - 1]!);
    }
  }
}
