// Character level: every distinct character of a text is a token. Layer: tokenizer (pure).
// The vocabulary is the sorted distinct characters, as in nanoGPT's data/shakespeare_char/prepare.py. In a file it is a
// BPE without merges, without pre-tokenizer, and with the decoder Fuse, which Hugging Face tokenizers loads.

import { ConfigError } from '../base/errors.ts';
import type { AlignedText } from './aligned-text.ts';
import type { IdBuffer } from './id-buffer.ts';
import { Tokenizer } from './tokenizer.ts';
import { vocabularyJson, type TokenModel } from './token-model.ts';

const REPLACEMENT = 0xfffd;

/** A code point at a place; a lone surrogate counts as U+FFFD. */
function scalarAt(text: string, i: number): number {
  const codePoint = text.codePointAt(i)!;
  return codePoint >= 0xd800 && codePoint < 0xe000 ? REPLACEMENT : codePoint;
}

/** See the file's header. */
export class Characters implements TokenModel {
  readonly kind = 'characters';
  readonly vocabSize: number;
  readonly decoder = undefined;
  readonly #tokens: readonly (string | undefined)[];
  readonly #reserved: ReadonlySet<number>;
  readonly #ids = new Map<string, number>();
  readonly #byCodePoint = new Map<number, number>();
  readonly #unknown: number | undefined;

  /**
   * @param tokens by id; those of one character are what text is written with
   * @param options.reserved ids that text must never give
   * @param options.unknown the id for characters that are not in the vocabulary
   */
  constructor(tokens: readonly (string | undefined)[], options: { reserved?: ReadonlySet<number>; unknown?: number } = {}) {
    this.#tokens = tokens;
    this.#reserved = options.reserved ?? new Set();
    this.#unknown = options.unknown;
    this.vocabSize = tokens.length;
    tokens.forEach((token, id) => {
      if (token === undefined) return;
      this.#ids.set(token, id);
      if (!this.#reserved.has(id) && [...token].length === 1) this.#byCodePoint.set(token.codePointAt(0)!, id);
    });
  }

  normalize(text: AlignedText): AlignedText {
    return text;
  }

  encode({ text, starts, ends }: AlignedText, out: IdBuffer, spans?: IdBuffer): void {
    for (let i = 0; i < text.length; i++) {
      const codePoint = scalarAt(text, i);
      const id = this.#byCodePoint.get(codePoint) ?? this.#unknown;
      if (id === undefined) {
        const name = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
        throw new ConfigError(`Cannot encode ${JSON.stringify(String.fromCodePoint(codePoint))} (${name}): this character-level vocabulary holds the ${this.#byCodePoint.size} characters of its training text only. Use a byte-level tokenizer for other text.`);
      }
      out.push(id);
      spans?.push(starts![i]!);
      spans?.push(ends![i]!);
      if (codePoint > 0xffff) i++;
    }
  }

  bytesOf(id: number): Uint8Array | undefined {
    const token = this.#tokens[id];
    return token === undefined ? undefined : new TextEncoder().encode(token);
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  toJson(): ReturnType<TokenModel['toJson']> {
    const model = JSON.stringify({
      type: 'BPE',
      dropout: null,
      unk_token: this.#unknown === undefined ? null : this.#tokens[this.#unknown],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
    });
    return {
      normalizer: 'null',
      pre_tokenizer: 'null',
      decoder: '{"type":"Fuse"}',
      model: `${model.slice(0, -1)},"vocab":${vocabularyJson(this.#tokens)},"merges":[]}`,
    };
  }
}

/**
 * A character-level tokenizer: the sorted distinct characters of the texts, then the special tokens.
 *
 * @throws {ConfigError} if the texts hold no character, or a special token is one character or given twice
 */
export async function trainChars(
  texts: Iterable<string> | AsyncIterable<string>,
  options: { specialTokens?: readonly string[] } = {},
): Promise<Tokenizer> {
  const seen = new Set<number>();
  for await (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const codePoint = scalarAt(text, i);
      seen.add(codePoint);
      if (codePoint > 0xffff) i++;
    }
  }
  if (seen.size === 0) throw new ConfigError('Cannot make a character vocabulary: the texts hold no character.');
  const tokens = [...seen].sort((a, b) => a - b).map((codePoint) => String.fromCodePoint(codePoint));
  const special = options.specialTokens ?? [];
  const bad = special.find((token, i) => [...token].length < 2 || special.indexOf(token) !== i);
  if (bad !== undefined) {
    throw new ConfigError(`Cannot use the special token ${JSON.stringify(bad)}: it must be longer than one character and given once.`, { path: 'specialTokens' });
  }
  const added = special.map((content, i) => ({ id: tokens.length + i, content, special: true }));
  return new Tokenizer({ model: new Characters(tokens), added });
}
