// SentencePiece's `.model` files: a protocol buffer, of which we read what encoding needs. Layer: tokenizer (pure).
// Source: github.com/google/sentencepiece src/sentencepiece_model.proto; protobuf.dev/programming-guides/encoding.

import { FormatError } from '../base/errors.ts';
import { PIECE, spmTokenizer } from './spm-vocabulary.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Fields of the messages, by number. */
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const TRAINER = { modelType: 3, whitespaceAsSuffix: 24, byteFallback: 35 } as const;
const NORMALIZER = { charsmap: 2, addDummyPrefix: 3, removeExtraWhitespaces: 4, escapeWhitespaces: 5 } as const;

/** Types of models. */
const UNIGRAM = 1, BPE = 2;

/** More pieces are refused, as in a tokenizer.json. */
const MAX_PIECES = 2 ** 24;

/** A field: its number, and its value as a number or as bytes. */
interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array | undefined;
  /** Where it stands in the file. */
  readonly offset: number;
}

/** Reads the fields of messages, checking every length against what is there. */
class Messages {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  fail(state: string, offset: number): FormatError {
    return new FormatError(`Cannot read "${this.#file}": ${state} at byte ${offset}. Get another copy of it.`, { path: this.#file, offset });
  }

  /** @param base where the message stands in the file */
  *fields(bytes: Uint8Array, base: number): Generator<Field> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    const varint = (): number => {
      let value = 0;
      for (let shift = 0; shift < 70; shift += 7) {
        const byte = bytes[at++];
        if (byte === undefined) throw this.fail('a number that is cut short', base + at - 1);
        value += (byte & 0x7f) * 2 ** shift;
        if (byte < 0x80) return value;
      }
      throw this.fail('a number of more than ten bytes', base + at);
    };
    while (at < bytes.length) {
      const offset = base + at, tag = varint(), number = Math.floor(tag / 8), wire = tag % 8;
      if (number === 0 || number >= 2 ** 29) throw this.fail(`the field number ${number}, which is none,`, offset);
      const size = wire === 0 ? 0 : wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : -1;
      if (size < 0) throw this.fail(`a field of the unknown kind ${wire}`, offset);
      if (size > bytes.length - at) throw this.fail(`a field of ${size} bytes, of which ${bytes.length - at} are there,`, offset);
      if (wire === 0) yield { number, value: varint(), bytes: undefined, offset };
      else {
        yield { number, value: wire === 5 ? view.getFloat32(at, true) : NaN, bytes: wire === 2 ? bytes.subarray(at, at + size) : undefined, offset: base + at };
        at += size;
      }
    }
  }
}

/** Whether bytes begin like a `.model`: a first piece of a sensible length. */
export function isSentencePiece(bytes: Uint8Array): boolean {
  return bytes[0] === 0x0a && bytes[2] === 0x0a && bytes[1]! > 0 && bytes[3]! < bytes[1]!;
}

/**
 * Reads a `.model`. Models of kinds `unigram` and `bpe` are supported, which is what is in use.
 *
 * @param file its name, for messages
 * @throws {FormatError} with the offset, if it is damaged or of another kind
 */
export function parseSentencePiece(bytes: Uint8Array, file = 'tokenizer.model'): Tokenizer {
  const messages = new Messages(file), pieces: string[] = [], scores: number[] = [], types: number[] = [], seen = new Set<string>();
  const trainer = { modelType: UNIGRAM, byteFallback: false }, normalizer = { charsmap: undefined as Uint8Array | undefined, addDummyPrefix: true, removeExtraWhitespaces: true };
  for (const field of messages.fields(bytes, 0)) {
    if (field.bytes === undefined) continue;
    if (field.number === MODEL.pieces) {
      const { text, score, type } = readPiece(messages, field);
      if (seen.has(text)) throw messages.fail(`the piece ${JSON.stringify(text)} for a second time`, field.offset);
      if (pieces.length >= MAX_PIECES) throw messages.fail(`more than ${MAX_PIECES} pieces`, field.offset);
      seen.add(text);
      pieces.push(text);
      scores.push(score);
      types.push(type);
    } else if (field.number === MODEL.trainer) {
      for (const { number, value, offset } of messages.fields(field.bytes, field.offset)) {
        if (number === TRAINER.modelType) trainer.modelType = value;
        else if (number === TRAINER.byteFallback) trainer.byteFallback = value !== 0;
        else if (number === TRAINER.whitespaceAsSuffix && value !== 0) throw messages.fail('blanks behind words (treat_whitespace_as_suffix), which is not supported,', offset);
      }
    } else if (field.number === MODEL.normalizer) {
      for (const { number, value, bytes: data, offset } of messages.fields(field.bytes, field.offset)) {
        if (number === NORMALIZER.charsmap && data !== undefined) normalizer.charsmap = data;
        else if (number === NORMALIZER.addDummyPrefix) normalizer.addDummyPrefix = value !== 0;
        else if (number === NORMALIZER.removeExtraWhitespaces) normalizer.removeExtraWhitespaces = value !== 0;
        else if (number === NORMALIZER.escapeWhitespaces && value === 0) throw messages.fail('blanks that stay blanks (escape_whitespaces off), which is not supported,', offset);
      }
    }
  }
  if (pieces.length === 0) throw messages.fail('no pieces: it is no SentencePiece model', 0);
  if (trainer.modelType !== UNIGRAM && trainer.modelType !== BPE) throw messages.fail(`a model of type ${trainer.modelType}; supported are unigram (1) and bpe (2);`, 0);
  try {
    return spmTokenizer({ kind: trainer.modelType === BPE ? 'bpe' : 'unigram', pieces, scores, types, byteFallback: trainer.byteFallback, ...normalizer, cutsFirst: false });
  } catch (cause) {
    if (cause instanceof RangeError) throw messages.fail(`a table of replacements that ${cause.message}`, 0);
    throw cause;
  }
}

function readPiece(messages: Messages, field: Field): { text: string; score: number; type: number } {
  let text: string | undefined, score = 0, type: number = PIECE.normal;
  for (const { number, value, bytes, offset } of messages.fields(field.bytes!, field.offset)) {
    if (number === 1 && bytes !== undefined) {
      try {
        text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        throw messages.fail('a piece that is not UTF-8', offset);
      }
    } else if (number === 2) score = value;
    else if (number === 3) type = value;
  }
  if (text === undefined || text === '') throw messages.fail('a piece without text', field.offset);
  if (!Number.isFinite(score)) throw messages.fail(`the piece ${JSON.stringify(text)} with a score that is no number`, field.offset);
  if (type < PIECE.normal || type > PIECE.byte) throw messages.fail(`a piece of the unknown type ${type}`, field.offset);
  return { text, score, type };
}
