// Byte-level BPE: text as UTF-8 bytes, cut into pieces by a pattern, each piece merged by rank. Layer: tokenizer (pure).
// Source: Radford et al. 2019 (GPT-2), section 2.2; files as Hugging Face tokenizers writes them.

import { ConfigError } from '../base/errors.ts';
import type { AlignedText } from './aligned-text.ts';
import { namedCut, type ByteCut } from './byte-cut.ts';
import { byteCharacters, bytesOfToken, characterBytes } from './byte-level.ts';
import type { IdBuffer } from './id-buffer.ts';
import { MergeTable, type MergeTriples } from './merge-table.ts';
import { MISSING, PieceCache } from './piece-cache.ts';
import { unicodeForm } from './normalizers.ts';
import type { SplitPattern } from './split-pattern.ts';
import type { Scanner } from './split-scanner.ts';
import { TokenBreaks } from './token-breaks.ts';
import { mergesJson, vocabularyJson, type TokenModel } from './token-model.ts';
import { chunkEnd, Utf8Text } from './utf8-text.ts';

/** Longer pieces are rare and seldom come again: merged anew each time. */
const LONGEST_CACHED = 64;
/** Distinct pieces kept; then the cache starts anew. About 5 MB; 5.5 MB of English novels have 44,000. */
const CACHED_WORDS = 1 << 17;

/** A byte-level BPE vocabulary. */
export interface ByteBpeFields {
  /** Tokens by id, spelled byte-level; undefined where an id is not used. */
  readonly tokens: readonly (string | undefined)[];
  readonly merges: MergeTriples;
  /** Ranks of the merges; without them their order. */
  readonly ranks?: Int32Array | undefined;
  /** How text is cut before merging. */
  readonly pattern: SplitPattern | ByteCut;
  /** Ids in `tokens` that text must never give: special tokens. */
  readonly reserved?: ReadonlySet<number>;
  /** Put a blank before a text that does not start with one (not lossless; RoBERTa's files). */
  readonly addPrefixSpace?: boolean;
  /** Take a piece that is a token as it is, without merging (Llama 3's files). */
  readonly ignoreMerges?: boolean;
  /** The token for bytes that the vocabulary lacks. */
  readonly unknown?: number;
  /** Unicode normalisation before everything (Qwen 2's files; not lossless). */
  readonly normalizer?: 'NFC';
}

/** See the file's header. */
export class ByteBpe implements TokenModel {
  readonly kind = 'byte-bpe';
  readonly vocabSize: number;
  readonly decoder = undefined;
  readonly cut: ByteCut;
  readonly #fields: ByteBpeFields;
  readonly #merges: MergeTable;
  readonly #byteIds = new Int32Array(256).fill(-1);
  readonly #ids = new Map<string, number>();
  readonly #characterBytes = characterBytes();
  readonly #breaks: TokenBreaks | undefined; // none where a byte may become the unknown token
  readonly #scan: Scanner;
  readonly #text = new Utf8Text();
  readonly #cache = new PieceCache(CACHED_WORDS);
  readonly #characters = byteCharacters();
  #symbols = new Int32Array(256);

  constructor(fields: ByteBpeFields) {
    this.#fields = fields;
    this.vocabSize = fields.tokens.length;
    this.cut = typeof fields.pattern === 'string' ? namedCut(fields.pattern, fields.addPrefixSpace) : fields.pattern;
    const reserved = fields.reserved ?? new Set<number>();
    this.#merges = new MergeTable(fields.merges, (id) => reserved.has(id), fields.ranks);
    fields.tokens.forEach((token, id) => token !== undefined && this.#ids.set(token, id));
    this.#characters.forEach((character, byte) => {
      const id = this.#ids.get(character);
      if (id !== undefined && !reserved.has(id)) this.#byteIds[byte] = id;
    });
    if (!this.#byteIds.includes(-1)) this.#breaks = new TokenBreaks(this.#merged(fields));
    this.#scan = this.cut.scan;
  }

  /** The bytes of all tokens that merging can give. */
  *#merged({ merges }: ByteBpeFields): Generator<Uint8Array> {
    for (let i = 2; i < merges.length; i += 3) yield this.bytesOf(merges[i]!)!;
  }

  normalize(text: AlignedText): AlignedText {
    return this.#fields.normalizer === undefined ? text : unicodeForm(this.#fields.normalizer).apply(text);
  }

  encode(text: AlignedText, out: IdBuffer, spans?: IdBuffer): void {
    if (text.text.length === 0) return;
    const prefixed = this.#fields.addPrefixSpace && !text.text.startsWith(' ') ? text.prepended(' ') : text, whole = prefixed.text, first = out.length;
    for (let from = 0; from < whole.length;) {
      const to = this.cut.cutsAtLetters ? chunkEnd(whole, from) : whole.length;
      this.#text.load(whole, from, to);
      out.reserve(this.#text.length); // a token is at least a byte
      this.#encodeChunk(out);
      from = to;
    }
    this.#text.shrink();
    if (spans !== undefined) this.#locate(prefixed, out.data.subarray(first, out.length), spans);
  }

  /** Where ids come from: they are the bytes of the text, one after the other. */
  #locate({ text, starts, ends }: AlignedText, ids: Uint32Array, spans: IdBuffer): void {
    let unit = 0, behind = utf8Length(text, 0), at = 0; // the character at `unit` ends at byte `behind`
    const advance = (byte: number): void => {
      while (behind <= byte) {
        unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
        behind += utf8Length(text, unit);
      }
    };
    for (const id of ids) {
      advance(at);
      spans.push(starts![unit]!);
      at += id === this.#fields.unknown ? 1 : this.bytesOf(id)!.length;
      advance(at - 1);
      spans.push(ends![unit]!);
    }
  }

  /** Encodes what `#text` holds; `out` has room for it. */
  #encodeChunk(out: IdBuffer): void {
    const { bytes, view, length } = this.#text, scan = this.#scan, cache = this.#cache;
    for (let start = 0; start < length;) {
      const end = scan(bytes, start, length), size = end - start;
      if (size > LONGEST_CACHED) this.#encodePiece(bytes, start, size, out);
      else {
        let value = cache.find(view, start, size);
        if (value === MISSING) value = this.#encodeNew(bytes, start, size);
        if (value >= 0) out.data[out.length++] = value;
        else cache.copyTo(out, value);
      }
      start = end;
    }
  }

  /** Merges a piece that the cache has just made room for. @returns its value in the cache */
  #encodeNew(bytes: Uint8Array, start: number, size: number): number {
    try {
      const count = this.#mergePiece(bytes, start, size); // may replace #symbols
      return this.#cache.store(this.#symbols, count);
    } catch (cause) {
      this.#cache.clear(); // the room made for it must not stay empty
      throw cause;
    }
  }

  #encodePiece(bytes: Uint8Array, start: number, size: number, out: IdBuffer): void {
    const n = this.#mergePiece(bytes, start, size), symbols = this.#symbols;
    for (let i = 0; i < n; i++) out.data[out.length++] = symbols[i]!;
  }

  /** Leaves the ids of a piece in `#symbols`. @returns how many */
  #mergePiece(bytes: Uint8Array, start: number, size: number): number {
    if (this.#symbols.length < size) this.#symbols = new Int32Array(size);
    else if (this.#symbols.length > 1 << 20 && size < 1 << 16) this.#symbols = new Int32Array(1 << 16); // after a giant
    const symbols = this.#symbols, byteIds = this.#byteIds;
    if (this.#fields.ignoreMerges) {
      const id = this.#wholeToken(bytes, start, size);
      if (id !== undefined) {
        symbols[0] = id;
        return 1;
      }
    }
    for (let i = 0; i < size; i++) {
      const byte = bytes[start + i]!, id = byteIds[byte]!;
      symbols[i] = id >= 0 ? id : this.#unknownByte(byte);
    }
    return this.#mergeParts(bytes, start, size);
  }

  /** Merges `#symbols`, the bytes of a piece, between the places that no token crosses. @returns how many are left */
  #mergeParts(bytes: Uint8Array, start: number, size: number): number {
    const symbols = this.#symbols, breaks = this.#breaks;
    if (breaks === undefined) return this.#merges.merge(symbols, 0, size);
    let n = 0;
    for (let from = 0, at = 1; at <= size; at++) {
      if (at < size && !breaks.isBreak(bytes, start, start + at, start + size)) continue;
      const count = this.#merges.merge(symbols, from, at - from);
      for (let i = 0; i < count; i++) symbols[n++] = symbols[from + i]!;
      from = at;
    }
    return n;
  }

  /** The id of a piece that is a token as it stands. */
  #wholeToken(bytes: Uint8Array, start: number, size: number): number | undefined {
    let token = '';
    for (let i = start; i < start + size; i++) token += this.#characters[bytes[i]!]!;
    const id = this.#ids.get(token);
    return id === undefined || this.#fields.reserved?.has(id) ? undefined : id;
  }

  #unknownByte(byte: number): number {
    if (this.#fields.unknown !== undefined) return this.#fields.unknown;
    throw new ConfigError(`Cannot encode the byte 0x${byte.toString(16).padStart(2, '0')}: this vocabulary lacks it and has no token for the unknown. Train it with the full byte alphabet.`);
  }

  bytesOf(id: number): Uint8Array | undefined {
    const token = this.#fields.tokens[id];
    if (token === undefined) return undefined;
    if (this.#fields.reserved?.has(id)) return new TextEncoder().encode(token);
    return bytesOfToken(token, this.#characterBytes) ?? new TextEncoder().encode(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#fields.tokens[id];
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  toJson(): ReturnType<TokenModel['toJson']> {
    const { tokens, merges, ranks, ignoreMerges = false, unknown, normalizer } = this.#fields;
    const model = JSON.stringify({
      type: 'BPE',
      dropout: null,
      unk_token: unknown === undefined ? null : tokens[unknown],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
    });
    return {
      normalizer: JSON.stringify(normalizer === undefined ? null : { type: normalizer }),
      pre_tokenizer: this.cut.json,
      decoder: JSON.stringify({ type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }),
      model: `${model.slice(0, -1)},"vocab":${vocabularyJson(tokens)},"merges":${mergesJson(tokens, merges, ranks)}}`,
    };
  }
}

/** Bytes of the character at a place. */
function utf8Length(text: string, at: number): number {
  const c = text.codePointAt(at)!;
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}
