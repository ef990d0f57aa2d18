// SentencePiece's vocabularies, out of whichever file: pieces with scores and types. Layer: tokenizer (pure).
// Source: github.com/google/sentencepiece src/normalizer.cc, bpe_model.cc, unigram_model.cc, sentencepiece_processor.cc.

import { AddedTokens, type AddedToken } from './added-tokens.ts';
import type { AlignedText, Edit } from './aligned-text.ts';
import { Charsmap } from './charsmap.ts';
import { byteFallbackDecoder, decoderChain, eachToken, stripStep, type Decoder } from './decoders.ts';
import { MergeBpe } from './merge-bpe.ts';
import { normalizerSequence, prepend, replace, type Normalizer } from './normalizers.ts';
import type { PieceModel } from './piece-model.ts';
import { Pipeline } from './pipeline.ts';
import { Tokenizer, type Template } from './tokenizer.ts';
import { Unigram } from './unigram.ts';

/** What a piece is; the numbers of the files. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** The sign for a blank. */
const SIGN = '\u2581';

export interface SpmFields {
  readonly kind: 'bpe' | 'unigram';
  readonly pieces: readonly string[];
  readonly scores: ArrayLike<number>;
  /** By id: one of PIECE. */
  readonly types: ArrayLike<number>;
  readonly byteFallback: boolean;
  /** A blank goes before a text. */
  readonly addDummyPrefix: boolean;
  /** White space at the ends goes, and within a text only one is left. */
  readonly removeExtraWhitespaces: boolean;
  /** The table of replacements. */
  readonly charsmap?: Uint8Array | undefined;
  /** User-defined pieces cut the text before anything else, and each part gets its blank: llama.cpp. Else they lie within one text. */
  readonly cutsFirst: boolean;
  readonly template?: Template;
}

/** @throws {RangeError} if the table of replacements is damaged */
export function spmTokenizer(fields: SpmFields): Tokenizer {
  const { pieces, types } = fields, added: AddedToken[] = [], within: AddedToken[] = [];
  pieces.forEach((content, id) => {
    if (types[id] === PIECE.control) added.push({ id, content, special: true });
    else if (types[id] === PIECE.userDefined && content !== '') (fields.cutsFirst ? added : within).push({ id, content, special: false });
  });
  const model = fields.kind === 'bpe' ? bpeOf(fields) : unigramOf(fields);
  const normalizer = normalizerOf(fields), unknown = pieces[unknownOf(fields) ?? -1];
  const pipeline = new Pipeline({
    normalizer,
    model: within.length === 0 || fields.kind === 'unigram' ? model : aroundUserDefined(model, within),
    decoder: decoderOf(fields, unknown),
    sections: sectionsOf(fields),
  });
  return new Tokenizer({ model: pipeline, added, ...(fields.template === undefined ? {} : { template: fields.template }) });
}

function unknownOf({ types, pieces }: SpmFields): number | undefined {
  const at = pieces.findIndex((_, id) => types[id] === PIECE.unknown);
  return at < 0 ? undefined : at;
}

/** Ids that no merge may give: all but ordinary pieces. */
function reservedOf({ types, pieces }: SpmFields): Set<number> {
  return new Set(pieces.flatMap((_, id) => (types[id] === PIECE.normal || types[id] === PIECE.userDefined ? [] : [id])));
}

/** A pair merges if what it becomes is a piece, the one of the best score first. */
function bpeOf(fields: SpmFields): MergeBpe {
  const { pieces, scores } = fields, reserved = reservedOf(fields), ids = new Map<string, number>(), found: [left: number, right: number, result: number][] = [];
  pieces.forEach((piece, id) => !reserved.has(id) && !ids.has(piece) && ids.set(piece, id));
  for (const [piece, id] of ids) {
    for (let i = 1; i < piece.length; i++) {
      const left = ids.get(piece.slice(0, i)), right = left === undefined ? undefined : ids.get(piece.slice(i));
      if (right !== undefined) found.push([left!, right, id]);
    }
  }
  found.sort((a, b) => scores[b[2]]! - scores[a[2]]!);
  const ranks = new Int32Array(found.length);
  for (let i = 1; i < found.length; i++) ranks[i] = ranks[i - 1]! + (scores[found[i]![2]] === scores[found[i - 1]![2]] ? 0 : 1);
  const unknown = unknownOf(fields);
  return new MergeBpe({ tokens: pieces, merges: Int32Array.from(found.flat()), ranks, reserved, unknown, fuseUnknown: true, byteFallback: fields.byteFallback });
}

function unigramOf(fields: SpmFields): Unigram {
  const { pieces, types } = fields, scores = Float64Array.from({ length: pieces.length }, (_, id) => fields.scores[id]!);
  const normal = scores.filter((_, id) => types[id] === PIECE.normal), best = normal.reduce((most, score) => Math.max(most, score), -Infinity), least = normal.reduce((low, score) => Math.min(low, score), Infinity);
  pieces.forEach((piece, id) => {
    if (types[id] === PIECE.userDefined) scores[id] = new TextEncoder().encode(piece).length * best - 0.1; // always taken
    else if (types[id] !== PIECE.normal) scores[id] = Math.max(scores[id]!, least); // no part of the least score, which the unknown's is below
  });
  return new Unigram({ tokens: pieces, scores, unknown: unknownOf(fields), reserved: reservedOf(fields), byteFallback: fields.byteFallback, singlePrecision: true });
}

/** A model that takes user-defined pieces whole wherever they stand in a text. */
function aroundUserDefined(model: PieceModel, tokens: readonly AddedToken[]): PieceModel {
  const finder = new AddedTokens(tokens);
  return {
    type: model.type,
    tokens: model.tokens,
    wholes: tokens,
    encodePiece(piece, out, spans) {
      for (const { from, to, token } of finder.split(piece)) {
        const first = spans?.length ?? 0;
        if (token === undefined) model.encodePiece(piece.slice(from, to), out, spans);
        else {
          out.push(token.id);
          spans?.push(0);
          spans?.push(to - from);
        }
        if (spans !== undefined) { for (let i = first; i < spans.length; i++) spans.data[i]! += from; }
      }
    },
    idOf: (token) => model.idOf(token),
    toJson: () => model.toJson(),
  };
}

function normalizerOf(fields: SpmFields): Normalizer {
  const steps: Normalizer[] = [];
  if (fields.charsmap !== undefined && fields.charsmap.length > 0) steps.push(new Charsmap(fields.charsmap).byLongest());
  if (fields.removeExtraWhitespaces) steps.push({ apply: withoutExtraBlanks });
  if (fields.addDummyPrefix) steps.push(fields.cutsFirst ? prepend(SIGN) : { apply: (text) => (text.isFirst ? text.prepended(SIGN) : text) });
  steps.push(replace(' ', SIGN));
  return normalizerSequence(steps);
}

/** Blanks at the ends go, and of several in a row all but the first. */
function withoutExtraBlanks(text: AlignedText): AlignedText {
  const edits: Edit[] = [];
  for (const match of text.text.matchAll(/^ +| +$| {2,}/g)) {
    const isInside = match.index > 0 && match.index + match[0].length < text.text.length;
    edits.push({ from: match.index, to: match.index + match[0].length, text: isInside ? ' ' : '' });
  }
  return text.edited(edits);
}

/** What stands for an unknown piece in SentencePiece's decoded text. */
const UNKNOWN_SURFACE = ' \u2047 ';

function decoderOf({ addDummyPrefix, cutsFirst }: SpmFields, unknown: string | undefined): Decoder {
  const spell = eachToken((token) => (token === unknown && !cutsFirst ? UNKNOWN_SURFACE : token.replaceAll(SIGN, ' ')));
  const whole = eachToken((part) => part);
  return decoderChain([{ decoder: spell }, { decoder: byteFallbackDecoder() }, { decoder: whole, fuses: true }, ...(addDummyPrefix ? [stripStep(' ', 1, 0)] : [])]);
}

/** The same for a tokenizer.json. */
function sectionsOf({ addDummyPrefix, removeExtraWhitespaces, charsmap }: SpmFields): Record<'normalizer' | 'pre_tokenizer' | 'decoder', string> {
  const normalizers = [
    ...(charsmap === undefined || charsmap.length === 0 ? [] : [{ type: 'Precompiled', precompiled_charsmap: base64(charsmap) }]),
    ...(removeExtraWhitespaces ? [{ type: 'Strip', strip_left: true, strip_right: true }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] : []),
    ...(addDummyPrefix ? [{ type: 'Prepend', prepend: SIGN }] : []),
    { type: 'Replace', pattern: { String: ' ' }, content: SIGN },
  ];
  const decoders = [
    { type: 'Replace', pattern: { String: SIGN }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(addDummyPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ];
  return { normalizer: JSON.stringify({ type: 'Sequence', normalizers }), pre_tokenizer: 'null', decoder: JSON.stringify({ type: 'Sequence', decoders }) };
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
