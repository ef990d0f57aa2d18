// The section `normalizer` of a tokenizer.json. Layer: tokenizer (pure).

import type { JsonNode } from '../base/checked-json.ts';
import { Charsmap } from './charsmap.ts';
import { bertNormalizer, lowerCased, normalizerSequence, prepend, replace, strip, stripAccents, unicodeForm, type Normalizer } from './normalizers.ts';
import { RegexDfa } from './regex-dfa.ts';
import { RegexError } from './regex-syntax.ts';

/** Sequences in sequences go no deeper. */
export const MAX_NESTING = 8;

/** @throws {FormatError} if it asks for what is not supported; never ignores it */
export function readNormalizer(node: JsonNode, depth = 0): Normalizer | undefined {
  if (node.isNull) return undefined;
  const type = node.field('type').supported('NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'Strip', 'StripAccents', 'Replace', 'Prepend', 'Sequence', 'BertNormalizer', 'Precompiled');
  switch (type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return unicodeForm(type);
    case 'Lowercase':
      return { apply: lowerCased };
    case 'Strip':
      return strip(node.field('strip_left').boolean(true), node.field('strip_right').boolean(true));
    case 'StripAccents':
      return stripAccents();
    case 'Replace':
      return replace(readPattern(node.field('pattern')), node.field('content').string());
    case 'Prepend':
      return prepend(node.field('prepend').string());
    case 'Sequence':
      if (depth >= MAX_NESTING) throw node.error(`nests sequences deeper than ${MAX_NESTING}`);
      return normalizerSequence(node.field('normalizers').items().map((item) => readNormalizer(item, depth + 1)!));
    case 'BertNormalizer': {
      const lowercase = node.field('lowercase').boolean(true);
      return bertNormalizer({
        cleanText: node.field('clean_text').boolean(true),
        handleChineseChars: node.field('handle_chinese_chars').boolean(true),
        stripAccents: node.field('strip_accents').boolean(lowercase),
        lowercase,
      });
    }
    case 'Precompiled':
      return readCharsmap(node.field('precompiled_charsmap'));
    default:
      return type satisfies never;
  }
}

function readCharsmap(node: JsonNode): Normalizer | undefined {
  const text = node.string();
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw node.error('is not base64');
  try {
    return new Charsmap(Uint8Array.from(atob(text), (character) => character.charCodeAt(0))).byGrapheme();
  } catch (cause) {
    if (cause instanceof RangeError) throw node.error(cause.message);
    throw node.error('is not base64');
  }
}

/** A pattern: `{"String": …}`, or `{"Regex": …}`. */
export function readPattern(node: JsonNode): string | RegexDfa {
  const regex = node.field('Regex');
  return regex.isNull ? node.field('String').string() : readRegex(regex);
}

/** Longer expressions are refused: the longest in use has some 500 characters. */
const MAX_REGEX = 10_000;

/** An expression as an automaton, which cannot run away. */
export function readRegex(node: JsonNode): RegexDfa {
  const source = node.string();
  if (source.length > MAX_REGEX) throw node.error(`is a regular expression of ${source.length} characters; at most ${MAX_REGEX} are supported`);
  try {
    return new RegexDfa(source);
  } catch (cause) {
    if (!(cause instanceof RegexError)) throw cause;
    throw node.error(`is ${JSON.stringify(source.slice(0, 200))}, which is not supported: it has ${cause.message}`);
  }
}
