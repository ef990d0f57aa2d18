// Exact copies over a whole corpus: of documents, paragraphs or lines. Layer: data (file access).
// The index has, for each document, its number, how many pieces it has, and of each piece a hash of 128 bits and its span.
// The first occurrence stays. Documents are compared without white space (ContentKey); pieces but for white space at their
// ends and letter case left as it is.

import { z } from 'zod';
import type { DecideContext, Decision, IndexedPart, Numbered, StageKind } from '../stage.ts';
import { cutSpans } from '../pipeline/view.ts';
import { findRepeats, HASH_WORDS, type Repeat } from './find-repeats.ts';
import { hashSpan } from './hash-span.ts';
import { WordStream, WordWriter } from './word-file.ts';

const options = z.strictObject({
  of: z.enum(['documents', 'paragraphs', 'lines']).default('documents').describe('what is compared'),
  minChars: z.int().min(1).default(40).describe('paragraphs and lines shorter than this stay: headings and list items repeat honestly'),
});
type Options = z.infer<typeof options>;

/** Keeps the first of equal documents, paragraphs or lines. */
export const exactStage: StageKind<Options> = {
  name: 'exact',
  about: 'Drops documents that are the same but for white space, or cuts out paragraphs or lines that were seen before.',
  scope: 'corpus',
  options,
  start() {
    return (documents) => documents as AsyncIterable<never>; // the runner uses the phases
  },
  phases: {
    async index({ of, minChars }, part, file) {
      const writer = new WordWriter(file);
      try {
        for await (const numbered of part) {
          if (of === 'documents') writeDocument(writer, numbered);
          else writePieces(writer, numbered, of === 'lines' ? '\n' : '\n\n', minChars);
        }
        writer.commit();
      } catch (error) {
        writer.discard();
        throw error;
      }
    },
    async decide({ of }, parts, context) {
      const count = parts.reduce((sum, { file }) => sum + countPieces(file), 0);
      const repeats = findRepeats(count, () => hashes(parts), context.memory / 2);
      if (of === 'documents') await dropDocuments(parts, repeats, count, context);
      else await cutPieces(of, parts, repeats, context);
    },
  },
};

function writeDocument(writer: WordWriter, { n, hash }: Numbered): void {
  const bytes = Buffer.from(hash, 'base64');
  writer.word(n);
  writer.word(1);
  for (let i = 0; i < HASH_WORDS; i++) writer.word(bytes.readUInt32LE(4 * i));
  writer.word(0);
  writer.word(0);
}

function writePieces(writer: WordWriter, { n, document: { text } }: Numbered, end: string, minChars: number): void {
  const spans: [number, number][] = [], hash = new Uint32Array(HASH_WORDS);
  for (let from = 0; from < text.length;) {
    const found = text.indexOf(end, from);
    let to = found < 0 ? text.length : found + end.length;
    while (to < text.length && text.charCodeAt(to) === 10) to++; // blank lines belong to what they end
    spans.push([from, to]);
    from = to;
  }
  const long = spans.map(([from, to]) => trimmed(text, from, to)).map((span, i) => [span, spans[i]!] as const).filter(([[from, to]]) => to - from >= minChars);
  writer.word(n);
  writer.word(long.length);
  for (const [[from, to], whole] of long) {
    hashSpan(text, from, to, hash);
    for (const word of hash) writer.word(word);
    writer.word(whole[0]);
    writer.word(whole[1]);
  }
}

function trimmed(text: string, from: number, to: number): [number, number] {
  const isSpace = (i: number): boolean => text.charCodeAt(i) <= 32 || text.charCodeAt(i) === 0x3000;
  while (from < to && isSpace(from)) from++;
  while (to > from && isSpace(to - 1)) to--;
  return [from, to];
}

type Piece = { part: number; n: number; from: number; to: number };

/** Walks the pieces of all parts in order. */
class Pieces {
  readonly #parts: readonly IndexedPart[];
  readonly #hash = new Uint32Array(HASH_WORDS);
  readonly piece: Piece = { part: 0, n: 0, from: 0, to: 0 };

  constructor(parts: readonly IndexedPart[]) {
    this.#parts = parts;
  }

  *walk(): Generator<Uint32Array> {
    for (const [part, { file }] of this.#parts.entries()) {
      const stream = new WordStream(file);
      try {
        while (!stream.done) {
          const n = stream.next(), count = stream.next();
          for (let i = 0; i < count; i++) {
            for (let word = 0; word < HASH_WORDS; word++) this.#hash[word] = stream.next();
            const { piece } = this;
            piece.part = part;
            piece.n = n;
            piece.from = stream.next();
            piece.to = stream.next();
            yield this.#hash;
          }
        }
      } finally {
        stream.close();
      }
    }
  }
}

function* hashes(parts: readonly IndexedPart[]): Generator<Uint32Array> {
  const chunk = new Uint32Array(HASH_WORDS * 4096);
  let length = 0;
  for (const hash of new Pieces(parts).walk()) {
    chunk.set(hash, length);
    length += HASH_WORDS;
    if (length === chunk.length) {
      yield chunk;
      length = 0;
    }
  }
  yield chunk.subarray(0, length);
}

function countPieces(file: string): number {
  const stream = new WordStream(file);
  let pieces = 0;
  try {
    while (!stream.done) {
      stream.next();
      const count = stream.next();
      pieces += count;
      for (let i = 0; i < count * (HASH_WORDS + 2); i++) stream.next();
    }
  } finally {
    stream.close();
  }
  return pieces;
}

/** Where the records of a document's first occurrence are asked for: part and number by record, 8 bytes each. */
function places(parts: readonly IndexedPart[], count: number): { part: Uint32Array; n: Uint32Array } {
  const part = new Uint32Array(count), n = new Uint32Array(count), pieces = new Pieces(parts);
  let record = 0;
  for (const _ of pieces.walk()) {
    part[record] = pieces.piece.part;
    n[record++] = pieces.piece.n;
  }
  return { part, n };
}

async function dropDocuments(parts: readonly IndexedPart[], repeats: Iterable<Repeat>, count: number, context: DecideContext): Promise<void> {
  const { part, n } = places(parts, count);
  for (const { record, first } of repeats) {
    const own = part[record]!;
    if (parts[own]!.settled) continue;
    context.settle(own, { n: n[record]!, reason: 'exact', detail: `a copy of ${parts[part[first]!]!.document(n[first]!).id}` });
    await context.step(record, count);
  }
}

async function cutPieces(of: string, parts: readonly IndexedPart[], repeats: Iterable<Repeat>, context: DecideContext): Promise<void> {
  const pieces = new Pieces(parts), walk = pieces.walk();
  let record = -1, open: { part: number; n: number; cut: [number, number][] } | undefined;
  const settle = (): void => {
    if (open === undefined || parts[open.part]!.settled) return;
    const { part, n, cut } = open, { text } = parts[part]!.document(n), noun = cut.length === 1 ? of.slice(0, -1) : of;
    const decision: Decision = { n, reason: of, detail: `${cut.length} ${noun} seen before` };
    context.settle(part, cutSpans(text, cut).trim() === '' ? { ...decision, detail: `nothing left: ${decision.detail}` } : { ...decision, cut });
  };
  for (const { record: next } of repeats) {
    for (; record < next; record++) walk.next();
    const { part, n, from, to } = pieces.piece;
    if (open?.part !== part || open.n !== n) {
      settle();
      open = { part, n, cut: [] };
      await context.step(record, 0);
    }
    open.cut.push([from, to]);
  }
  settle();
  walk.return(undefined);
}
