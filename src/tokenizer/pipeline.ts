// A token model put together from parts, as a tokenizer.json lists them. Layer: tokenizer (pure).

import type { AlignedText } from './aligned-text.ts';
import { decodeAll, spaced, type Decoder } from './decoders.ts';
import { IdBuffer } from './id-buffer.ts';
import type { Normalizer } from './normalizers.ts';
import type { PieceModel } from './piece-model.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import type { TokenModel } from './token-model.ts';

/** The parts; each may be missing but the model. */
export interface PipelineFields {
  readonly normalizer?: Normalizer | undefined;
  readonly preTokenizer?: PreTokenizer | undefined;
  readonly model: PieceModel;
  readonly decoder?: Decoder | undefined;
  /** The sections of a tokenizer.json that the first two and the decoder came from. */
  readonly sections: Record<'normalizer' | 'pre_tokenizer' | 'decoder', string>;
}

/** See the file's header. */
export class Pipeline implements TokenModel {
  readonly kind = 'pipeline';
  readonly vocabSize: number;
  readonly decoder: Decoder;
  readonly model: PieceModel;
  readonly #fields: PipelineFields;
  readonly #encoder = new TextEncoder();

  constructor(fields: PipelineFields) {
    this.#fields = fields;
    this.model = fields.model;
    this.vocabSize = fields.model.tokens.length;
    this.decoder = fields.decoder ?? spaced;
  }

  normalize(text: AlignedText): AlignedText {
    return this.#fields.normalizer?.apply(text) ?? text;
  }

  encode(text: AlignedText, out: IdBuffer, spans?: IdBuffer): void {
    if (text.text === '') return;
    const { preTokenizer } = this.#fields;
    for (const piece of preTokenizer?.(text) ?? [text]) {
      if (piece.text === '') continue;
      if (spans === undefined) this.model.encodePiece(piece.text, out);
      else this.#encodeWithSpans(piece, out, spans);
    }
  }

  #encodeWithSpans(piece: AlignedText, out: IdBuffer, spans: IdBuffer): void {
    const inPiece = new IdBuffer(), ids = new IdBuffer();
    this.model.encodePiece(piece.text, ids, inPiece);
    for (let i = 0; i < ids.length; i++) {
      out.push(ids.data[i]!);
      spans.push(piece.starts![inPiece.data[2 * i]!]!);
      spans.push(piece.ends![inPiece.data[2 * i + 1]! - 1]!);
    }
  }

  /** What the decoder makes of the token behind another: the first token of a text may lose its blank. */
  bytesOf(id: number): Uint8Array | undefined {
    const token = this.model.tokens[id];
    if (token === undefined) return undefined;
    const parts: string[] = [], step = this.decoder({ push: (part) => parts.push(part), flush: () => {} }, true);
    step.push('a');
    step.push(token);
    step.flush();
    return this.#encoder.encode(parts.join('').slice(decodeAll(this.decoder, ['a']).length));
  }

  tokenOf(id: number): string | undefined {
    return this.model.tokens[id];
  }

  idOf(token: string): number | undefined {
    return this.model.idOf(token);
  }

  toJson(): ReturnType<TokenModel['toJson']> {
    return { ...this.#fields.sections, model: this.model.toJson() };
  }
}
