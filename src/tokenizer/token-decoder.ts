// From ids back to text, one at a time. Layer: tokenizer (pure).

import { ConfigError } from '../base/errors.ts';
import type { Decoder, DecodeStep } from './decoders.ts';

/** What a decoder needs of a tokenizer. */
export interface TokenBytes {
  readonly vocabSize: number;
  readonly model: { readonly decoder: Decoder | undefined };
  /** @throws {ConfigError} if there is no such id */
  bytesOf(id: number): Uint8Array;
  tokenOf(id: number): string | undefined;
  isSpecial(id: number): boolean;
}

/** The error for an id that the vocabulary does not have. */
export function unknownId(id: number, vocabSize: number): ConfigError {
  return new ConfigError(`Cannot decode the id ${id}: this vocabulary has ids 0 to ${vocabSize - 1}. Check that model and tokenizer belong together.`);
}

/**
 * Decodes a stream of ids without ever cutting a character: what is not complete yet is kept for later.
 * The joined output equals `Tokenizer.decode` of all ids (but where byte tokens are no UTF-8: see `byteFallbackDecoder`).
 *
 * @example
 * const decoder = new TokenDecoder(tokenizer);
 * for (const id of ids) process.stdout.write(decoder.push(id));
 * process.stdout.write(decoder.flush());
 */
export class TokenDecoder {
  readonly #tokens: TokenBytes;
  readonly #skipSpecialTokens: boolean;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true }); // a leading U+FEFF is text like any other
  readonly #step: DecodeStep | undefined;
  #text = '';

  constructor(tokens: TokenBytes, options: { skipSpecialTokens?: boolean } = {}) {
    this.#tokens = tokens;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? false;
    const push = (part: string): void => {
      this.#text += part;
    };
    this.#step = tokens.model.decoder?.({ push, flush: () => {} }, true);
  }

  /** Takes one id. @returns the characters that it completes, often none. @throws {ConfigError} if there is no such id */
  push(id: number): string {
    if (this.#step === undefined) {
      const bytes = this.#tokens.bytesOf(id);
      return this.#isSkipped(id) ? '' : this.#utf8.decode(bytes, { stream: true });
    }
    const token = this.#tokens.tokenOf(id);
    if (token === undefined) throw unknownId(id, this.#tokens.vocabSize);
    if (!this.#isSkipped(id)) this.#step.push(token);
    return this.#taken();
  }

  /** Ends the stream: an unfinished character comes out as U+FFFD. The decoder can then be used anew. */
  flush(): string {
    if (this.#step === undefined) return this.#utf8.decode();
    this.#step.flush();
    return this.#taken();
  }

  #isSkipped(id: number): boolean {
    return this.#skipSpecialTokens && this.#tokens.isSpecial(id);
  }

  #taken(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}
