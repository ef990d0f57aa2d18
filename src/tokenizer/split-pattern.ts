// Pre-tokenizer patterns: how text is cut into pieces before BPE. Layer: tokenizer (pure).
// Each pattern is named, stated as the regular expressions that tokenizer.json files spell it with, and kept here as a
// JavaScript regular expression: the reference that the scanners of split-scanner.ts are tested against.
// Sources: GPT-2, github.com/openai/gpt-2 src/encoder.py; cl100k, github.com/openai/tiktoken tiktoken_ext/openai_public.py
// as Llama 3's and Qwen 2's tokenizer.json spell it (three digits at most, or one); two digits is nanochat's choice.

/** `cl100k` groups up to 3 digits (GPT-4, Llama 3), `cl100k-digits2` up to 2, `cl100k-digits1` single ones (Qwen 2). */
export type SplitPattern = 'gpt2' | 'cl100k' | 'cl100k-digits2' | 'cl100k-digits1';

interface PatternText {
  /** The spelling that is written, in Oniguruma's syntax. */
  readonly onig: string;
  /** Other spellings that match the same pieces. */
  readonly aliases: readonly string[];
  /** The same for JavaScript: \s is \p{White_Space} elsewhere, and (?i:s) also matches ſ (U+017F) there. */
  readonly source: string;
}

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** The spellings of the cl100k family for one way of grouping digits. */
function cl100k(digits: string): PatternText {
  const head = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`;
  const tail = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
  // A greedy \s* gives back no more than it must, so \s*[\r\n] matches what \s*[\r\n]+ does; possessive quantifiers
  // only save time where the next item cannot match what was taken.
  const possessive = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|`;
  const possessiveTail = String.raw`| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`;
  const source = String.raw`'(?:[sdmtSDMT\u017f]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}`
    + String.raw`| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`;
  return { onig: head + digits + tail, aliases: [possessive + digits + possessiveTail], source };
}

const PATTERNS: Readonly<Record<SplitPattern, PatternText>> = {
  gpt2: { onig: GPT2, aliases: [], source: GPT2.replaceAll(String.raw`\s`, String.raw`\p{White_Space}`).replace(String.raw`\S`, String.raw`\P{White_Space}`) },
  cl100k: cl100k(String.raw`\p{N}{1,3}`),
  'cl100k-digits2': cl100k(String.raw`\p{N}{1,2}`),
  'cl100k-digits1': cl100k(String.raw`\p{N}`),
};

/** The names of all patterns, for help texts and messages. */
export const SPLIT_PATTERNS = Object.keys(PATTERNS) as SplitPattern[];

/** The pattern as tokenizer.json states it. */
export function patternText(pattern: SplitPattern): string {
  return PATTERNS[pattern].onig;
}

/** The pattern that a regular expression out of a tokenizer.json spells, if it is one of ours. */
export function patternOf(regex: string): SplitPattern | undefined {
  return SPLIT_PATTERNS.find((name) => PATTERNS[name].onig === regex || PATTERNS[name].aliases.includes(regex));
}

/**
 * The reference: cuts a text by regular expression. Slow; the scanners give the same pieces.
 *
 * @param text well-formed (without lone surrogates); the pieces joined are the text
 */
export function splitByRegex(pattern: SplitPattern, text: string): string[] {
  return text.match(new RegExp(PATTERNS[pattern].source, 'gu')) ?? [];
}
