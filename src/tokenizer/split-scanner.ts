// Scanners: where a piece ends, on UTF-8. Layer: tokenizer (pure).
// Those of the named patterns are automata made of the patterns themselves. Written by hand they were a tenth slower
// (cl100k, 4 MB of code and documentation, encoding as a whole); as JavaScript's regular expressions, five times.

import { RegexDfa } from './regex-dfa.ts';
import { patternText, type SplitPattern } from './split-pattern.ts';

/** The end of the piece that starts at `start`; `end` is the end of the text. start < end, well-formed UTF-8. */
export type Scanner = (bytes: Uint8Array, start: number, end: number) => number;

const shared = new Map<SplitPattern, RegexDfa>(); // a memo of constants: what an automaton says never changes

/** The scanner of a pattern. Every pattern matches at any place of any text. */
export function scannerOf(pattern: SplitPattern): Scanner {
  const dfa = shared.get(pattern) ?? new RegexDfa(patternText(pattern));
  shared.set(pattern, dfa);
  return (bytes, start, end) => dfa.endInBytes(bytes, start, end);
}

/** Cuts a text by scanner: for tests and for looking at what a pattern does. */
export function splitByScanner(pattern: SplitPattern, text: string): string[] {
  const bytes = new TextEncoder().encode(text), decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const scan = scannerOf(pattern), pieces: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = scan(bytes, start, bytes.length);
    pieces.push(decoder.decode(bytes.subarray(start, end)));
    start = end;
  }
  return pieces;
}
