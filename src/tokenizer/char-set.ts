// Sets of characters, as sorted ranges of code points. Layer: tokenizer (pure).
// Unicode properties come from JavaScript's own tables, through its regular expressions, as in char-classes.ts.

import { allCharacters } from './char-classes.ts';

/** Boundaries in order: [from, to, from, to, …), each `to` exclusive. */
export type CharSet = readonly number[];

/** One more than the largest code point. */
export const CODE_POINTS = 0x110000;
const PLANE = 0x10000;

/** Planes with assigned characters; of the others one character stands for all (unassigned, or private use). */
const ASSIGNED = [0, 1, 2, 3, 14];
const UNIFORM = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16];

/** The characters that are in either set. */
export function union(a: CharSet, b: CharSet): CharSet {
  const out: number[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const first = j >= b.length || (i < a.length && a[i]! <= b[j]!), from = first ? a[i]! : b[j]!, to = first ? a[i + 1]! : b[j + 1]!;
    if (first) i += 2;
    else j += 2;
    if (out.length > 0 && from <= out.at(-1)!) out[out.length - 1] = Math.max(out.at(-1)!, to);
    else out.push(from, to);
  }
  return out;
}

/** All other characters. */
export function complement(set: CharSet): CharSet {
  const out = set[0] === 0 ? set.slice(1) : [0, ...set];
  if (out.at(-1) === CODE_POINTS) out.pop();
  else out.push(CODE_POINTS);
  return out;
}

/** The characters that are in both sets. */
export function intersection(a: CharSet, b: CharSet): CharSet {
  return complement(union(complement(a), complement(b)));
}

/** Whether a character is in the set. */
export function contains(set: CharSet, codePoint: number): boolean {
  let low = 0, high = set.length; // how many boundaries are not above it
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[middle]! <= codePoint) low = middle + 1;
    else high = middle;
  }
  return low % 2 === 1;
}

/** Adds what a regular expression finds among the characters from..to-1. */
function findAll(pattern: RegExp, from: number, to: number, out: number[]): void {
  const units = from < PLANE ? 1 : 2;
  for (const match of allCharacters(from, to).matchAll(pattern)) {
    const start = from + match.index / units, end = start + match[0].length / units;
    if (out.at(-1) === start) out[out.length - 1] = end;
    else out.push(start, end);
  }
}

const known = new Map<string, CharSet>(); // a memo of constants

/**
 * The characters that a JavaScript class stands for.
 *
 * @param source such as `\p{L}`; with `folded` also those that differ from its characters in case only
 * @throws {SyntaxError} if JavaScript knows no such class
 */
export function classSet(source: string, folded = false): CharSet {
  const key = `${folded ? 'i' : ''}${source}`, found = known.get(key);
  if (found !== undefined) return found;
  const pattern = new RegExp(`(?:${source})+`, folded ? 'giu' : 'gu'), out: number[] = [];
  for (let plane = 0; plane <= 16; plane++) {
    const start = plane * PLANE;
    if (plane === 0) {
      findAll(pattern, 0, 0xd800, out);
      findAll(pattern, 0xe000, PLANE, out); // surrogates between the two are no characters
    } else if (ASSIGNED.includes(plane)) findAll(pattern, start, start + PLANE, out);
    else if (UNIFORM.includes(plane) && new RegExp(pattern, pattern.flags.replace('g', '')).test(String.fromCodePoint(start))) {
      if (out.at(-1) === start) out[out.length - 1] = start + PLANE;
      else out.push(start, start + PLANE);
    }
  }
  known.set(key, out);
  return out;
}

/** What is not ASCII and folds to an ASCII letter: the long s and the Kelvin sign. */
const FOLDS_TO: Readonly<Record<string, number>> = { s: 0x17f, k: 0x212a };

/** The set and what differs from it in case only: `(?i:…)`. */
export function caseFolded(set: CharSet): CharSet {
  const [first = 0, end = 0] = set;
  if (set.length === 2 && end === first + 1 && first < 0x80) { // without a look at all of Unicode
    const lower = first | 0x20, isLetter = lower >= 0x61 && lower <= 0x7a, other = FOLDS_TO[String.fromCharCode(lower)];
    const pair = isLetter ? union([lower, lower + 1], [first & ~0x20, (first & ~0x20) + 1]) : set;
    return isLetter && other !== undefined ? union(pair, [other, other + 1]) : pair;
  }
  let source = '';
  for (let i = 0; i < set.length; i += 2) source += `\\u{${set[i]!.toString(16)}}-\\u{${(set[i + 1]! - 1).toString(16)}}`;
  return source === '' ? set : union(set, classSet(`[${source}]`, true));
}
