// The tokenizer: a model, special tokens and the template that frames a text. Layer: tokenizer (pure).

import { ConfigError } from '../base/errors.ts';
import { IdBuffer } from './id-buffer.ts';
import { TokenDecoder, unknownId } from './token-decoder.ts';
import type { TokenModel } from './token-model.ts';

/** A token with an id that is matched as a whole, before the model sees the text. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens are matched only where the caller allows it; others wherever they stand in a text. */
  readonly special: boolean;
}

/** What `encode` may do besides encoding the text. */
export interface EncodeOptions {
  /** Frame the text as the tokenizer's file says, for instance by a token at its start. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Special tokens that the text may name. Default: none, so that "<|endoftext|>" is thirteen characters like any others. */
  readonly allowedSpecial?: 'all' | Iterable<string>;
}

/** What a tokenizer is made of. */
export interface TokenizerFields {
  readonly model: TokenModel;
  readonly added?: readonly AddedToken[];
  /** Ids put before and behind a text. */
  readonly template?: { readonly prefix: readonly number[]; readonly suffix: readonly number[] };
}

/** Escapes a text for a regular expression. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}

/**
 * Text to token ids and back. Any text comes back as it was, but for lone surrogates (no UTF-8 can hold them): they
 * become U+FFFD.
 *
 * @example
 * const tokenizer = await trainBpe(['to be or not to be'], { vocabSize: 260 });
 * tokenizer.decode(tokenizer.encode('to be')); // 'to be'
 */
export class Tokenizer {
  readonly model: TokenModel;
  readonly added: readonly AddedToken[];
  readonly template: { readonly prefix: readonly number[]; readonly suffix: readonly number[] };
  /** Largest id + 1: the rows that an embedding needs. */
  readonly vocabSize: number;
  /** Ids of the special tokens by their text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly #addedById: ReadonlyMap<number, AddedToken>;
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #encoder = new TextEncoder();
  readonly #everything: RegExp | undefined;
  readonly #ordinary: RegExp | undefined;

  /** @throws {ConfigError} if two added tokens share a text or an id */
  constructor(fields: TokenizerFields) {
    this.model = fields.model;
    this.added = [...(fields.added ?? [])].sort((a, b) => a.id - b.id);
    this.template = fields.template ?? { prefix: [], suffix: [] };
    this.#addedById = new Map(this.added.map((token) => [token.id, token]));
    this.#addedIds = new Map(this.added.map((token) => [token.content, token.id]));
    if (this.#addedById.size !== this.added.length || this.#addedIds.size !== this.added.length) {
      throw new ConfigError('Cannot make a tokenizer: two added tokens have the same text or the same id.');
    }
    this.specialTokens = new Map(this.added.filter((token) => token.special).map((token) => [token.content, token.id]));
    this.vocabSize = this.added.reduce((size, token) => Math.max(size, token.id + 1), this.model.vocabSize);
    this.#everything = matcher(this.added);
    this.#ordinary = matcher(this.added.filter((token) => !token.special));
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
    const split = this.#matcherFor(options.allowedSpecial);
    if (split === undefined) this.model.encode(text, out);
    else this.#encodeAround(split, text, out);
    if (frame) { for (const id of this.template.suffix) out.push(id); }
    return out.take();
  }

  /** Encodes the stretches between added tokens. */
  #encodeAround(split: RegExp, text: string, out: IdBuffer): void {
    let from = 0;
    for (const match of text.matchAll(split)) {
      this.model.encode(text.slice(from, match.index), out);
      out.push(this.#addedIds.get(match[0])!);
      from = match.index + match[0].length;
    }
    this.model.encode(from === 0 ? text : text.slice(from), out);
  }

  #matcherFor(allowed: EncodeOptions['allowedSpecial']): RegExp | undefined {
    if (allowed === undefined) return this.#ordinary;
    if (allowed === 'all') return this.#everything;
    const names = new Set(allowed);
    for (const name of names) {
      if (this.specialTokens.has(name)) continue;
      const known = [...this.specialTokens.keys()].join(' ') || 'none';
      throw new ConfigError(`Cannot allow the special token "${name}": this tokenizer's special tokens are ${known}.`, { path: 'allowedSpecial' });
    }
    return matcher(this.added.filter((token) => !token.special || names.has(token.content)));
  }

  /**
   * The text of ids. Bytes that are no UTF-8 (a character cut in two) come out as U+FFFD.
   *
   * @throws {ConfigError} if an id is not in the vocabulary
   */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
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

  /** A decoder for a stream of ids. */
  decoder(options: { skipSpecialTokens?: boolean } = {}): TokenDecoder {
    return new TokenDecoder(this, options);
  }

  /** The UTF-8 bytes that an id stands for. @throws {ConfigError} if there is no such id */
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

/** A pattern for tokens, the longest first where several begin. */
function matcher(tokens: readonly AddedToken[]): RegExp | undefined {
  if (tokens.length === 0) return undefined;
  const longestFirst = [...tokens].sort((a, b) => b.content.length - a.content.length);
  return new RegExp(longestFirst.map((token) => escaped(token.content)).join('|'), 'g');
}
