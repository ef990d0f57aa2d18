// What `tokenizer.ggml.pre` of a GGUF file means: how byte-level BPE cuts its text. Layer: models (pure).
// See https://github.com/ggml-org/llama.cpp, src/llama-vocab.cpp; the expressions are those of the models' own tokenizer.json.

import { patternText, type SplitPattern } from '../tokenizer/split-pattern.ts';

/** How a text is cut, and whether a piece that is a token is taken as it is. */
export interface PreCut {
  /** One of ours, or else expressions. */
  readonly pattern?: SplitPattern;
  readonly regexes?: readonly string[];
  readonly ignoreMerges: boolean;
}

/** Upper case, then lower case; letters of neither count as both. */
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;

function cased(contraction: string, digits: string): string {
  const before = String.raw`[^\r\n\p{L}\p{N}]?`;
  return `${before}${UPPER}*${LOWER}+${contraction}|${before}${UPPER}+${LOWER}*${contraction}|${digits}` + String.raw`| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
}

const GPT2: PreCut = { pattern: 'gpt2', ignoreMerges: false };
const LLAMA3: PreCut = { pattern: 'cl100k', ignoreMerges: true };
const QWEN2: PreCut = { pattern: 'cl100k-digits1', ignoreMerges: false };
const SINGLE_DIGITS: PreCut = { regexes: [String.raw`\p{N}`, patternText('gpt2')], ignoreMerges: false };

/** By name; the first of equal ones is what is written. */
export const PRE_CUTS: Readonly<Record<string, PreCut>> = {
  'gpt-2': GPT2,
  'phi-2': GPT2,
  mpt: GPT2,
  olmo: GPT2,
  'llama-bpe': LLAMA3,
  'llama-v3': LLAMA3,
  llama3: LLAMA3,
  'smaug-bpe': { pattern: 'cl100k', ignoreMerges: false },
  dbrx: { pattern: 'cl100k', ignoreMerges: false },
  qwen2: QWEN2,
  stablelm2: QWEN2,
  'deepseek-r1-qwen': QWEN2,
  starcoder: SINGLE_DIGITS,
  refact: SINGLE_DIGITS,
  smollm: SINGLE_DIGITS,
  'command-r': SINGLE_DIGITS,
  'gpt-4o': { regexes: [cased(String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)?`, String.raw`\p{N}{1,3}`)], ignoreMerges: false },
  tekken: { regexes: [cased('', String.raw`\p{N}`)], ignoreMerges: true },
  'deepseek-coder': { regexes: [String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, '[一-龥ࠀ-一가-퟿]+', String.raw`\p{N}`], ignoreMerges: false },
  'deepseek-v3': {
    regexes: [
      String.raw`\p{N}{1,3}`,
      '[一-龥\u3040-ゟ゠-ヿ]+',
      String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ],
    ignoreMerges: false,
  },
};
