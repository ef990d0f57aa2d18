// Scanners: the patterns of split-pattern.ts by hand, on UTF-8 with a table of character classes. Layer: tokenizer (pure).
// A regular expression took five times as long on English; tests hold both against each other on random text.
// Each rule's comment quotes the alternative of the pattern that it stands for, in the pattern's order.

import { charClasses, LETTER, NEWLINE, NUMBER, OTHER, SPACE, type CharClasses } from './char-classes.ts';
import { digitLimit, type SplitPattern } from './split-pattern.ts';
import { codePointAt, utf8Size } from './utf8-text.ts';

const APOSTROPHE = 0x27;
const BLANK = 0x20;

/** The end of the piece that starts at `start`; `end` is the end of the text. start < end, well-formed UTF-8. */
export type Scanner = (bytes: Uint8Array, start: number, end: number) => number;

/** The class of the character at `i`. */
function classAt(classes: CharClasses, bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  if (lead < 0xf0) return classes.basic[codePointAt(bytes, i)]!;
  return classes.of(codePointAt(bytes, i));
}

/** Where the run of characters of one class that may start at `i` ends. */
function runEnd(classes: CharClasses, bytes: Uint8Array, i: number, end: number, kind: number): number {
  const { basic } = classes;
  while (i < end) {
    const lead = bytes[i]!;
    if (lead < 0x80) {
      if (basic[lead] !== kind) return i;
      i++;
    } else {
      if (classAt(classes, bytes, i) !== kind) return i;
      i += utf8Size(lead);
    }
  }
  return i;
}

/** White space from `start`: `\s+(?!\S)|\s+`. Leaves the last one to the word behind it. */
function spaceEnd(classes: CharClasses, bytes: Uint8Array, start: number, end: number): number {
  let i = start, last = start;
  while (i < end) {
    const kind = classAt(classes, bytes, i);
    if (kind !== SPACE && kind !== NEWLINE) return last > start ? last : i;
    last = i;
    i += utf8Size(bytes[i]!);
  }
  return i;
}

/** White space from `start`: `\s*[\r\n]+`. @returns `start` if the run holds no line end */
function lastLineEnd(classes: CharClasses, bytes: Uint8Array, start: number, end: number): number {
  let found = start;
  for (let i = start; i < end; i += utf8Size(bytes[i]!)) {
    const kind = classAt(classes, bytes, i);
    if (kind === NEWLINE) found = i + 1;
    else if (kind !== SPACE) break;
  }
  return found;
}

/** `'s|'t|'re|'ve|'m|'ll|'d` in lower case, `start` at the apostrophe. @returns `start` if there is none */
function contractionEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start + 1 >= end) return start;
  const first = bytes[start + 1]!;
  if (first === 0x73 || first === 0x74 || first === 0x6d || first === 0x64) return start + 2; // s t m d
  if (start + 2 >= end) return start;
  const second = bytes[start + 2]!;
  if (second === 0x65 && (first === 0x72 || first === 0x76)) return start + 3; // re ve
  return first === 0x6c && second === 0x6c ? start + 3 : start; // ll
}

/** The same in either case; ſ (U+017F, the bytes C5 BF) folds to s. */
function contractionEndAnyCase(bytes: Uint8Array, start: number, end: number): number {
  if (start + 1 >= end) return start;
  const first = bytes[start + 1]! | 0x20; // folds ASCII letters; nothing else becomes one of those looked for, but controls
  if (bytes[start + 1]! >= 0x40 && (first === 0x73 || first === 0x74 || first === 0x6d || first === 0x64)) return start + 2;
  if (start + 2 >= end) return start;
  if (bytes[start + 1] === 0xc5 && bytes[start + 2] === 0xbf) return start + 3;
  if (bytes[start + 1]! < 0x40 || bytes[start + 2]! < 0x40) return start;
  const second = bytes[start + 2]! | 0x20;
  if (second === 0x65 && (first === 0x72 || first === 0x76)) return start + 3;
  return first === 0x6c && second === 0x6c ? start + 3 : start;
}

/** GPT-2's pattern. */
function gpt2Scanner(classes: CharClasses): Scanner {
  return (bytes, start, end) => {
    const lead = bytes[start]!;
    if (lead === APOSTROPHE) {
      const contraction = contractionEnd(bytes, start, end);
      if (contraction > start) return contraction;
    }
    const body = lead === BLANK && start + 1 < end ? start + 1 : start; // the optional blank of the next three
    const kind = classAt(classes, bytes, body);
    if (kind === LETTER || kind === NUMBER || kind === OTHER) { // ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`
      return runEnd(classes, bytes, body, end, kind);
    }
    return spaceEnd(classes, bytes, start, end);
  };
}

/** At most `limit` digits: `\p{N}{1,limit}`, the first at `start`. */
function digitsEnd(classes: CharClasses, bytes: Uint8Array, start: number, end: number, limit: number): number {
  let i = start;
  for (let n = 0; n < limit && i < end && classAt(classes, bytes, i) === NUMBER; n++) i += utf8Size(bytes[i]!);
  return i;
}

/** ` ?[^\s\p{L}\p{N}]+[\r\n]*` with the first of the symbols at `body`. */
function symbolsEnd(classes: CharClasses, bytes: Uint8Array, body: number, end: number): number {
  return runEnd(classes, bytes, runEnd(classes, bytes, body, end, OTHER), end, NEWLINE);
}

/** GPT-4's pattern (cl100k), with `limit` digits in a piece. */
function cl100kScanner(classes: CharClasses, limit: number): Scanner {
  return (bytes, start, end) => {
    const lead = bytes[start]!;
    if (lead === APOSTROPHE) {
      const contraction = contractionEndAnyCase(bytes, start, end);
      if (contraction > start) return contraction;
    }
    const kind = classAt(classes, bytes, start);
    if (kind === LETTER) return runEnd(classes, bytes, start + utf8Size(lead), end, LETTER);
    if (kind === NUMBER) return digitsEnd(classes, bytes, start, end, limit);
    if (kind !== NEWLINE) {
      const next = start + utf8Size(lead);
      const nextKind = next < end ? classAt(classes, bytes, next) : -1;
      if (nextKind === LETTER) return runEnd(classes, bytes, next, end, LETTER); // `[^\r\n\p{L}\p{N}]?\p{L}+`
      if (kind === OTHER) return symbolsEnd(classes, bytes, start, end);
      if (lead === BLANK && nextKind === OTHER) return symbolsEnd(classes, bytes, next, end);
    }
    const line = lastLineEnd(classes, bytes, start, end);
    return line > start ? line : spaceEnd(classes, bytes, start, end);
  };
}

/** The scanner of a pattern. */
export function scannerOf(pattern: SplitPattern): Scanner {
  const classes = charClasses();
  return pattern === 'gpt2' ? gpt2Scanner(classes) : cl100kScanner(classes, digitLimit(pattern));
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
