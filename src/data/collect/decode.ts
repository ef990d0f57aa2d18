// Contents to text: the encoding is found, decoded, repaired and counted. Layer: data.

import { detectEncoding, StreamDecoder } from '../encoding.ts';
import { cutPoint } from '../read.ts';
import { repairText } from '../repair.ts';
import type { SourceContext } from '../source-kind.ts';
import type { Content } from './content.ts';
import { RefusedError } from './limits.ts';
import type { ReadContext } from './reader.ts';

/**
 * The text of a content as it comes, not repaired.
 *
 * @throws {RefusedError} `binary` if it is no text
 */
export async function* decodedText(content: Content, context: ReadContext): AsyncGenerator<string> {
  const encoding = detectEncoding(content.head);
  if (encoding === 'binary') throw new RefusedError('binary', 'It is no text in an encoding that is known.');
  const decoder = new StreamDecoder(encoding);
  for await (const chunk of content.chunks()) yield decoder.write(chunk);
  yield decoder.end();
  countDecoding(decoder, context.source);
}

/** Notes an encoding and what could not be decoded. */
export function countDecoding({ counts }: StreamDecoder, source: SourceContext): void {
  source.count(`encoding.${counts.encoding}`);
  if (counts.invalidSequences > 0) source.count('repairs.invalid-sequences', counts.invalidSequences);
}

/** Repairs a text and counts what was repaired; leaves it where `raw` says so. */
export function repaired(text: string, context: ReadContext): string {
  if (context.options.raw) return text;
  const counts = { carriageReturns: 0, controls: 0, mojibake: 0 }, result = repairText(text, counts);
  if (counts.carriageReturns > 0) context.source.count('repairs.carriage-returns');
  if (counts.controls > 0) context.source.count('repairs.controls');
  if (counts.mojibake > 0) context.source.count('repairs.mojibake');
  return result;
}

/** Text that comes bit by bit, in pieces of at most `pieceChars`, cut between paragraphs, lines or words. */
export async function* inPieces(text: AsyncIterable<string>, pieceChars: number): AsyncGenerator<string> {
  let pending = '';
  for await (const next of text) {
    pending += next;
    while (pending.length > pieceChars) {
      const cut = cutPoint(pending, pieceChars);
      yield pending.slice(0, cut);
      pending = pending.slice(cut);
    }
  }
  if (pending !== '') yield pending;
}

/** Text that comes bit by bit, line by line. @throws {RefusedError} never: longer lines than `most` come as undefined */
export async function* inLines(text: AsyncIterable<string>, most: number): AsyncGenerator<string | undefined> {
  let pending = '', isTooLong = false;
  for await (const next of text) {
    const lines = next.split('\n');
    for (const [i, line] of lines.entries()) {
      if (!isTooLong) pending += line;
      if (pending.length > most) {
        isTooLong = true;
        pending = '';
      }
      if (i === lines.length - 1) break;
      yield isTooLong ? undefined : pending;
      pending = '';
      isTooLong = false;
    }
  }
  if (isTooLong) yield undefined;
  else if (pending !== '') yield pending;
}
