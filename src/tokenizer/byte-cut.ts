// How byte-level BPE cuts a text: a known pattern with a scanner by hand, or any regular expressions, one inside the other.
// Layer: tokenizer (pure).

import { RegexDfa } from './regex-dfa.ts';
import { RegexError, type RegexDialect } from './regex-syntax.ts';
import { patternText, type SplitPattern } from './split-pattern.ts';
import { scannerOf, type Scanner } from './split-scanner.ts';
import { utf8Size } from './utf8-text.ts';

/** A way to cut. */
export interface ByteCut {
  /** Its name, if it is one of those that can be trained with. */
  readonly pattern: SplitPattern | undefined;
  readonly scan: Scanner;
  /** Whether it always cuts between a letter and what is none, so that a long text can be taken in parts. */
  readonly cutsAtLetters: boolean;
  /** The section `pre_tokenizer` of a tokenizer.json that says so. */
  readonly json: string;
}

/** The cut of a named pattern. */
export function namedCut(pattern: SplitPattern, addPrefixSpace = false): ByteCut {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: pattern === 'gpt2' };
  const split = { type: 'Split', pattern: { Regex: patternText(pattern) }, behavior: 'Isolated', invert: false };
  const json = JSON.stringify(pattern === 'gpt2' ? byteLevel : { type: 'Sequence', pretokenizers: [split, byteLevel] });
  return { pattern, scan: scannerOf(pattern), cutsAtLetters: true, json };
}

/**
 * The cut of any regular expressions, the second inside of what the first leaves, and so on.
 *
 * @throws {RegexError} if one is not supported
 */
export function regexCut(sources: readonly string[], dialect: RegexDialect = 'oniguruma'): ByteCut {
  const splits = sources.map((source) => ({ type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const json = JSON.stringify({ type: 'Sequence', pretokenizers: [...splits, byteLevel] });
  return { pattern: undefined, scan: cascade(sources.map((source) => new RegexDfa(source, dialect))), cutsAtLetters: false, json };
}

/** Bytes looked at in vain, in all, for each byte of a text: beyond, the search gives up. */
const PATIENCE = 100;

/**
 * A scanner of several expressions: the first cuts the text, the second each piece, and so on. What an expression finds is
 * a piece, and so is what lies between. The scanner must be asked from left to right, from 0 on.
 */
export function cascade(steps: readonly RegexDfa[]): Scanner {
  const ends = new Int32Array(steps.length), foundAt = new Int32Array(steps.length).fill(-1), foundEnd = new Int32Array(steps.length);
  let work = 0;
  const pieceEnd = (k: number, bytes: Uint8Array, start: number, limit: number): number => {
    if (foundAt[k] === start) return foundEnd[k]!;
    const step = steps[k]!;
    for (let i = start; i < limit; i += utf8Size(bytes[i]!)) {
      const end = step.endInBytes(bytes, i, limit);
      if (end <= i) {
        work += step.reached - i;
        if (work > PATIENCE * limit + 1e7) throw new RegexError(`a pattern that takes too long on this text (${JSON.stringify(step.source.slice(0, 60))})`);
        continue;
      }
      if (i === start) return end;
      foundAt[k] = i;
      foundEnd[k] = end;
      return i;
    }
    return limit;
  };
  return (bytes, start, end) => {
    if (start === 0) {
      ends.fill(0);
      foundAt.fill(-1);
      work = 0;
    }
    let limit = end;
    for (let k = 0; k < steps.length; k++) {
      if (start >= ends[k]!) ends[k] = pieceEnd(k, bytes, start, limit);
      limit = ends[k]!;
    }
    return limit;
  };
}
