// Pre-tokenizers: how a text is cut into pieces, which a model then encodes one by one. Layer: tokenizer (pure).
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/pre_tokenizers and NormalizedString::split.

import type { AlignedText } from './aligned-text.ts';
import { byteCharacters } from './byte-level.ts';
import { isSpace, occurrences } from './normalizers.ts';
import type { RegexDfa } from './regex-dfa.ts';

/** Cuts one piece, perhaps changing it. */
export type PreTokenizer = (piece: AlignedText) => readonly AlignedText[];

/** What becomes of what a pattern finds. */
export const SPLIT_BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

/** Finds stretches of a text: start, end, start, end, … */
export type Finder = (text: string) => number[];

/** A finder of a string or an automaton. */
export function finder(pattern: string | RegexDfa): Finder {
  return typeof pattern === 'string' ? (text) => (pattern === '' ? [] : occurrences(text, pattern)) : (text) => pattern.matches(text);
}

/**
 * Cuts by what is found. A found stretch is dropped, stands alone, or joins a neighbour that was not found.
 *
 * @param invert what is found and what lies between change places
 */
export function split(find: Finder, behavior: SplitBehavior, invert = false): PreTokenizer {
  return (piece) => {
    const stretches = stretchesOf(piece.text, find, invert);
    return arrange(stretches, behavior).map(([from, to]) => piece.slice(from, to));
  };
}

type Stretch = [from: number, to: number, isMatch: boolean];

/** The whole text: what was found, and what lies between. */
function stretchesOf(text: string, find: Finder, invert: boolean): Stretch[] {
  const found = find(text), out: Stretch[] = [];
  let at = 0;
  for (let i = 0; i < found.length; i += 2) {
    if (found[i]! > at) out.push([at, found[i]!, invert]);
    out.push([found[i]!, found[i + 1]!, !invert]);
    at = found[i + 1]!;
  }
  if (at < text.length) out.push([at, text.length, invert]);
  return out;
}

function arrange(stretches: Stretch[], behavior: SplitBehavior): Stretch[] {
  switch (behavior) {
    case 'Removed':
      return stretches.filter(([, , isMatch]) => !isMatch);
    case 'Isolated':
      return stretches;
    case 'Contiguous':
      return joined(stretches, (isMatch, before) => isMatch === before);
    case 'MergedWithPrevious':
      return joined(stretches, (isMatch, before) => isMatch && !before);
    case 'MergedWithNext': {
      const backwards = stretches.reverse().map(([from, to, isMatch]): Stretch => [-to, -from, isMatch]);
      return joined(backwards, (isMatch, before) => isMatch && !before).reverse().map(([from, to, isMatch]) => [-to, -from, isMatch]);
    }
    default:
      return behavior satisfies never;
  }
}

/** Joins each stretch to the one before it where `joins` says so. */
function joined(stretches: readonly Stretch[], joins: (isMatch: boolean, before: boolean) => boolean): Stretch[] {
  const out: Stretch[] = [];
  let before = false;
  for (const [from, to, isMatch] of stretches) {
    const last = out.at(-1);
    if (last !== undefined && joins(isMatch, before)) last[1] = to;
    else out.push([from, to, isMatch]);
    before = isMatch;
  }
  return out;
}

/** Cuts at white space, which goes. */
export const whitespaceSplit: PreTokenizer = (piece) => {
  const out: AlignedText[] = [], { text } = piece;
  for (let i = 0; i < text.length;) {
    while (i < text.length && isSpace(text.charCodeAt(i))) i++;
    const start = i;
    while (i < text.length && !isSpace(text.charCodeAt(i))) i++;
    if (i > start) out.push(piece.slice(start, i));
  }
  return out;
};

const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/gu;

/** A finder by JavaScript's own expression, for those of ours. */
export function findBy(pattern: RegExp): Finder {
  return (text) => {
    const out: number[] = [];
    for (const match of text.matchAll(pattern)) out.push(match.index, match.index + match[0].length);
    return out;
  };
}

export function punctuation(behavior: SplitBehavior): PreTokenizer {
  return split(findBy(PUNCTUATION), behavior);
}

/** Digits, each alone or in runs. */
export function digits(individual: boolean): PreTokenizer {
  return split(findBy(/\p{N}/gu), individual ? 'Isolated' : 'Contiguous');
}

/** Words and runs of symbols, without the white space between. */
export function whitespace(): PreTokenizer {
  return split(findBy(/[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{White_Space}]+/gu), 'Removed', true);
}

/** BERT's: white space goes, punctuation stands alone. */
export function bertPreTokenizer(): PreTokenizer {
  return preTokenizerSequence([whitespaceSplit, punctuation('Isolated')]);
}

/** How `Metaspace` treats the start. */
export const PREPEND_SCHEMES = ['always', 'first', 'never'] as const;
export type PrependScheme = (typeof PREPEND_SCHEMES)[number];

/** Blanks become a visible sign (▁), which also stands before the text; pieces begin with it. */
export function metaspace(sign: string, scheme: PrependScheme, splits: boolean): PreTokenizer {
  return (piece) => {
    let marked = piece.edited(piece.starts === undefined ? [] : occurrences(piece.text, ' ').flatMap((from, i) => (i % 2 === 0 ? [{ from, to: from + 1, text: sign, align: 'last' as const }] : [])));
    if (piece.starts === undefined && piece.text.includes(' ')) marked = piece.withText(piece.text.replaceAll(' ', () => sign));
    if (!marked.text.startsWith(sign) && (scheme === 'always' || (scheme === 'first' && piece.isFirst))) marked = marked.prepended(sign);
    return splits ? atSigns(marked, sign) : [marked];
  };
}

/** Cuts before each sign. */
function atSigns(piece: AlignedText, sign: string): AlignedText[] {
  const out: AlignedText[] = [], { text } = piece;
  let from = 0;
  for (let at = text.indexOf(sign, 1); at >= 0; at = text.indexOf(sign, at + sign.length)) {
    out.push(piece.slice(from, at));
    from = at;
  }
  if (from < text.length) out.push(piece.slice(from, text.length));
  return out;
}

/** Byte-level spelling; `find`, if given, cuts first. */
export function byteLevel(addPrefixSpace: boolean, find?: Finder): PreTokenizer {
  const characters = byteCharacters(), encoder = new TextEncoder();
  const spelled = (text: string): string => {
    let out = '';
    for (const byte of encoder.encode(text)) out += characters[byte]!;
    return out;
  };
  const cut = find === undefined ? undefined : split(find, 'Isolated');
  return (piece) => {
    const whole = addPrefixSpace && !piece.text.startsWith(' ') ? piece.prepended(' ') : piece;
    return (cut?.(whole) ?? [whole]).map((part) => {
      if (part.starts === undefined) return part.withText(spelled(part.text));
      let at = 0;
      return part.edited(Array.from(part.text, (character) => ({ from: at, to: at += character.length, text: spelled(character) })));
    });
  };
}

/** One after the other, each on the pieces of the one before. */
export function preTokenizerSequence(steps: readonly PreTokenizer[]): PreTokenizer {
  return (piece) => steps.reduce<readonly AlignedText[]>((pieces, step) => pieces.flatMap((part) => (part.text === '' ? [] : step(part))), [piece]);
}
