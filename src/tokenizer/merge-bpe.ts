// BPE over characters, as SentencePiece made it: Llama 2, Mistral, Gemma, Phi 3. Layer: tokenizer (pure).
// A character that the vocabulary lacks becomes its UTF-8 bytes, each a token (`<0xE4>`), or the unknown token.
// Such a tokenizer does not cut its text first; merging all of it at once would be slow and could not remember words. But
// merges never cross two neighbouring characters that no token holds side by side, and the text is cut there.
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/models/bpe/model.rs.

import { ConfigError } from '../base/errors.ts';
import { byteOfToken } from './decoders.ts';
import { IdBuffer } from './id-buffer.ts';
import { MergeTable, type MergeTriples } from './merge-table.ts';
import { WordCache, type PieceModel } from './piece-model.ts';
import { mergesJson, vocabularyJson } from './token-model.ts';

/** Longer words are rare and seldom come again. */
const LONGEST_CACHED = 32;

export interface MergeBpeFields {
  readonly tokens: readonly (string | undefined)[];
  readonly merges: MergeTriples;
  /** Ranks of the merges; without them their order. Of equal ranks the leftmost comes first. */
  readonly ranks?: Int32Array | undefined;
  /** Ids in `tokens` that text must never give. */
  readonly reserved?: ReadonlySet<number>;
  readonly unknown?: number | undefined;
  /** Several unknown characters in a row are one token. */
  readonly fuseUnknown?: boolean;
  readonly byteFallback?: boolean;
  readonly ignoreMerges?: boolean;
}

/** Which neighbouring UTF-16 units some token holds; may say yes too often, never no. */
class PairFilter {
  readonly #basic = new Uint8Array(128 * 128); // both ASCII: exact
  readonly #hashed = new Uint8Array(1 << 18); // others: a byte each, hashed

  add(token: string): void {
    for (let i = 1; i < token.length; i++) {
      const a = token.charCodeAt(i - 1), b = token.charCodeAt(i);
      if ((a | b) < 128) this.#basic[(a << 7) | b] = 1;
      else this.#hashed[Math.imul((a << 16) | b, 0x9e3779b1) >>> 14] = 1;
    }
  }

  has(a: number, b: number): boolean {
    return ((a | b) < 128 ? this.#basic[(a << 7) | b] : this.#hashed[Math.imul((a << 16) | b, 0x9e3779b1) >>> 14]) === 1;
  }
}

/** See the file's header. */
export class MergeBpe implements PieceModel {
  readonly type = 'BPE';
  readonly tokens: readonly (string | undefined)[];
  readonly #fields: MergeBpeFields;
  readonly #ids = new Map<string, number>();
  readonly #basic = new Int32Array(0x10000).fill(-1); // ids of the characters of one unit
  readonly #byteIds: readonly (number | undefined)[];
  readonly #hasBytes: boolean;
  readonly #merges: MergeTable;
  readonly #pairs = new PairFilter();
  readonly #longest: number; // units of the longest token
  readonly #cache = new WordCache();
  readonly #encoder = new TextEncoder();
  #symbols = new Int32Array(256);

  constructor(fields: MergeBpeFields) {
    this.#fields = fields;
    this.tokens = fields.tokens;
    const reserved = fields.reserved ?? new Set<number>();
    const byteIds = new Array<number | undefined>(256).fill(undefined);
    let longest = 0;
    fields.tokens.forEach((token, id) => {
      if (token === undefined) return;
      this.#ids.set(token, id);
      longest = Math.max(longest, token.length);
      if (token.length === 1 && !reserved.has(id)) this.#basic[token.charCodeAt(0)] = id;
      const byte = byteOfToken(token);
      if (byte !== undefined && token === byteToken(byte)) byteIds[byte] = id;
    });
    this.#longest = longest;
    this.#byteIds = byteIds;
    this.#hasBytes = fields.byteFallback === true;
    this.#merges = new MergeTable(fields.merges, (id) => reserved.has(id), fields.ranks);
    for (let i = 2; i < fields.merges.length; i += 3) this.#pairs.add(fields.tokens[fields.merges[i]!]!);
  }

  encodePiece(piece: string, out: IdBuffer, spans?: IdBuffer): void {
    if (this.#fields.ignoreMerges && piece.length <= this.#longest) {
      const id = this.#ids.get(piece);
      if (id !== undefined && !this.#fields.reserved?.has(id)) {
        out.push(id);
        spans?.push(0);
        spans?.push(piece.length);
        return;
      }
    }
    const pairs = this.#pairs, first = out.length;
    let from = 0, before = piece.charCodeAt(0);
    for (let at = 1; at <= piece.length; at++) {
      const unit = at < piece.length ? piece.charCodeAt(at) : 0;
      if (at < piece.length && (pairs.has(before, unit) || (before & 0xfc00) === 0xd800)) {
        before = unit;
        continue;
      }
      const word = from === 0 && at === piece.length ? piece : piece.slice(from, at), start = out.length;
      if (spans !== undefined) this.#encodeWithSpans(word, from, out, spans);
      else this.#encodeWord(word, out);
      if (start > first && this.#fields.fuseUnknown) this.#fuse(start, out, spans);
      from = at;
      before = unit;
    }
  }

  #encodeWord(word: string, out: IdBuffer): void {
    if (word.length > LONGEST_CACHED) {
      this.#mergeWord(word, out);
      return;
    }
    if (this.#cache.copy(word, out)) return;
    const from = out.length;
    this.#mergeWord(word, out);
    this.#cache.store(word, out, from);
  }

  /** Where a word begins with the unknown token and the one before ends with it, they are one. */
  #fuse(start: number, out: IdBuffer, spans: IdBuffer | undefined): void {
    const { unknown } = this.#fields;
    if (unknown === undefined || out.data[start] !== unknown || out.data[start - 1] !== unknown) return;
    out.data.copyWithin(start, start + 1, out.length--);
    if (spans === undefined) return;
    const behind = spans.length - 2 * (out.length + 1 - start); // the spans are in step with the ids from the piece's start on
    spans.data[behind - 1] = spans.data[behind + 1]!;
    spans.data.copyWithin(behind, behind + 2, spans.length);
    spans.length -= 2;
  }

  /** Appends the ids of a word. */
  #mergeWord(word: string, out: IdBuffer): void {
    if (this.#symbols.length < word.length * 3) this.#symbols = new Int32Array(word.length * 3); // a unit is at most three bytes
    const symbols = this.#symbols, basic = this.#basic;
    let n = 0;
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i), id = basic[unit]!;
      if (id >= 0) symbols[n++] = id;
      else {
        const character = String.fromCodePoint(word.codePointAt(i)!);
        n = this.#rareCharacter(character, n);
        i += character.length - 1;
      }
    }
    n = this.#merges.merge(symbols, 0, n);
    out.reserve(n);
    for (let i = 0; i < n; i++) out.data[out.length++] = symbols[i]!;
    if (this.#symbols.length > 1 << 20) this.#symbols = new Int32Array(256);
  }

  /** Adds a character that is no token of one unit. @returns how many symbols there are now */
  #rareCharacter(character: string, n: number): number {
    const symbols = this.#symbols, id = character.length > 1 ? this.#ids.get(character) : undefined;
    if (id !== undefined && !this.#fields.reserved?.has(id)) {
      symbols[n] = id;
      return n + 1;
    }
    if (this.#hasBytes) {
      const bytes = Array.from(this.#encoder.encode(character), (byte) => this.#byteIds[byte]);
      if (!bytes.includes(undefined)) {
        for (const byte of bytes) symbols[n++] = byte!;
        return n;
      }
    }
    const { unknown, fuseUnknown } = this.#fields;
    if (unknown === undefined) {
      const name = `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
      throw new ConfigError(`Cannot encode ${JSON.stringify(character)} (${name}): this vocabulary lacks it and has no token for the unknown. Use another tokenizer for such text.`);
    }
    if (fuseUnknown && n > 0 && symbols[n - 1] === unknown) return n;
    symbols[n] = unknown;
    return n + 1;
  }

  #encodeWithSpans(word: string, offset: number, out: IdBuffer, spans: IdBuffer): void {
    const ids = new IdBuffer();
    this.#mergeWord(word, ids);
    for (let i = 0, at = 0; i < ids.length; i++) {
      const id = ids.data[i]!, token = this.tokens[id]!, isUnknown = id === this.#fields.unknown;
      let end = at + token.length, repeats = 1;
      if (isUnknown || !word.startsWith(token, at)) {
        const character = String.fromCodePoint(word.codePointAt(at)!);
        end = at + character.length;
        if (!isUnknown) repeats = this.#encoder.encode(character).length; // byte tokens, each of which is all of the character
        else if (this.#fields.fuseUnknown) { while (end < word.length && this.#isUnknown(word, end)) end += word.codePointAt(end)! > 0xffff ? 2 : 1; }
      }
      for (let k = 0; k < repeats; k++) {
        out.push(ids.data[i + k]!);
        spans.push(offset + at);
        spans.push(offset + end);
      }
      i += repeats - 1;
      at = end;
    }
  }

  #isUnknown(word: string, at: number): boolean {
    const id = this.#ids.get(String.fromCodePoint(word.codePointAt(at)!));
    return id === undefined || this.#fields.reserved?.has(id) === true;
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  toJson(): string {
    const { tokens, merges, ranks, unknown, fuseUnknown = false, byteFallback = false, ignoreMerges = false } = this.#fields;
    const model = JSON.stringify({
      type: 'BPE',
      dropout: null,
      unk_token: unknown === undefined ? null : tokens[unknown],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: fuseUnknown,
      byte_fallback: byteFallback,
      ignore_merges: ignoreMerges,
    });
    return `${model.slice(0, -1)},"vocab":${vocabularyJson(tokens)},"merges":${mergesJson(tokens, merges, ranks)}}`;
  }
}

/** How a byte is spelled: `<0x0A>`. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}
