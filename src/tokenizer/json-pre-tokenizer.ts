// The section `pre_tokenizer` of a tokenizer.json. Layer: tokenizer (pure).

import type { JsonNode } from '../base/checked-json.ts';
import { cascade, namedCut, type ByteCut } from './byte-cut.ts';
import { MAX_NESTING, readPattern, readRegex } from './json-normalizer.ts';
import { bertPreTokenizer, byteLevel, digits, finder, metaspace, PREPEND_SCHEMES, preTokenizerSequence, punctuation, split, SPLIT_BEHAVIORS, whitespace, whitespaceSplit, type PreTokenizer } from './pre-tokenizers.ts';
import { RegexDfa } from './regex-dfa.ts';
import { patternOf, patternText } from './split-pattern.ts';

/** @throws {FormatError} if it asks for what is not supported; never ignores it */
export function readPreTokenizer(node: JsonNode, depth = 0): PreTokenizer | undefined {
  if (node.isNull) return undefined;
  const type = node.field('type').supported('ByteLevel', 'Split', 'Sequence', 'Metaspace', 'Whitespace', 'WhitespaceSplit', 'BertPreTokenizer', 'Digits', 'Punctuation');
  switch (type) {
    case 'ByteLevel':
      return byteLevel(node.field('add_prefix_space').boolean(true), node.field('use_regex').boolean(true) ? finder(new RegexDfa(patternText('gpt2'))) : undefined);
    case 'Split':
      return split(finder(readPattern(node.field('pattern'))), node.field('behavior').supported(...SPLIT_BEHAVIORS), node.field('invert').boolean(false));
    case 'Sequence':
      if (depth >= MAX_NESTING) throw node.error(`nests sequences deeper than ${MAX_NESTING}`);
      return preTokenizerSequence(node.field('pretokenizers').items().map((item) => readPreTokenizer(item, depth + 1)!));
    case 'Metaspace': {
      const sign = node.field('replacement').string(), scheme = node.field('prepend_scheme'), old = node.field('add_prefix_space');
      if ([...sign].length !== 1) throw node.field('replacement').error('should be one character');
      const prepends = scheme.isNull ? (old.boolean(true) ? 'always' : 'never') : scheme.supported(...PREPEND_SCHEMES);
      return metaspace(sign, prepends, node.field('split').boolean(true));
    }
    case 'Whitespace':
      return whitespace();
    case 'WhitespaceSplit':
      return whitespaceSplit;
    case 'BertPreTokenizer':
      return bertPreTokenizer();
    case 'Digits':
      return digits(node.field('individual_digits').boolean(false));
    case 'Punctuation':
      return punctuation(node.field('behavior').isNull ? 'Isolated' : node.field('behavior').supported(...SPLIT_BEHAVIORS));
    default:
      return type satisfies never;
  }
}

/**
 * The same as a cut of bytes, which is much faster: regular expressions whose matches stand alone, then byte-level.
 *
 * @returns nothing if it is of another kind
 */
export function readByteCut(node: JsonNode): (ByteCut & { addPrefixSpace: boolean }) | undefined {
  if (node.isNull) return undefined;
  const parts = node.field('type').value === 'Sequence' ? node.field('pretokenizers').items() : [node], last = parts.at(-1);
  if (last?.field('type').value !== 'ByteLevel') return undefined;
  const addPrefixSpace = last.field('add_prefix_space').boolean(true), json = JSON.stringify(node.value);
  if (addPrefixSpace && parts.length > 1) return undefined; // a blank before each piece
  const sources = parts.slice(0, -1).map(isolatedRegex);
  if (sources.includes(undefined)) return undefined;
  if (last.field('use_regex').boolean(true)) sources.push({ regex: patternText('gpt2'), covers: false });
  if (sources.length === 0) return undefined;
  const [only, ...more] = sources, pattern = more.length === 0 ? patternOf(only!.regex) : undefined;
  if (pattern !== undefined) return { ...namedCut(pattern, addPrefixSpace), json, addPrefixSpace };
  if (sources.some((source) => source!.covers)) return undefined; // what no known pattern matches would go
  const steps = sources.map((source, i) => (source!.node === undefined ? new RegexDfa(sources[i]!.regex) : readRegex(source!.node)));
  return { pattern: undefined, scan: cascade(steps), cutsAtLetters: false, json, addPrefixSpace };
}

/** An expression each of whose matches becomes a piece. */
interface Isolated {
  readonly regex: string;
  /** Only true if every character belongs to a match: what lies between is removed. */
  readonly covers: boolean;
  readonly node?: JsonNode;
}

function isolatedRegex(node: JsonNode): Isolated | undefined {
  switch (node.field('type').value) {
    case 'Split': {
      const regex = node.field('pattern').field('Regex'), invert = node.field('invert').boolean(false), behavior = node.field('behavior').supported(...SPLIT_BEHAVIORS);
      const isKept = behavior === 'Isolated', isCover = invert && behavior === 'Removed';
      return typeof regex.value !== 'string' || (!isKept && !isCover) ? undefined : { regex: regex.value, covers: isCover, node: regex };
    }
    case 'Digits':
      return { regex: node.field('individual_digits').boolean(false) ? String.raw`\p{N}` : String.raw`\p{N}+`, covers: false };
    case 'Punctuation':
      return [null, 'Isolated'].includes(node.field('behavior').value as string | null) ? { regex: String.raw`[!-/:-@\[-\x60{-~\p{P}]`, covers: false } : undefined;
    default:
      return undefined;
  }
}
