import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RegexDfa } from '../../src/tokenizer/regex-dfa.ts';
import { RegexError } from '../../src/tokenizer/regex-syntax.ts';
import { patternText, splitByRegex, SPLIT_PATTERNS } from '../../src/tokenizer/split-pattern.ts';

function found(dfa: RegexDfa, text: string): string[] {
  const matches = dfa.matches(text);
  return Array.from({ length: matches.length / 2 }, (_, i) => text.slice(matches[2 * i], matches[2 * i + 1]));
}

function foundInBytes(dfa: RegexDfa, text: string): string[] {
  const bytes = new TextEncoder().encode(text), out: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = dfa.endInBytes(bytes, at, bytes.length);
    if (end > at) out.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, end)));
    if (end > at) at = end;
    else do at++; while ((bytes[at]! & 0xc0) === 0x80);
  }
  return out;
}

const units = fc.constantFrom("'", 's', 'S', '\u017f', ' ', '\n', '\r', '1', '中', 'l', 'L', '.', '\t', '\u0301', '𝟘', '\u00a0', 'a', 'b', 'c');
const texts = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: units, maxLength: 40 }));

test.each(SPLIT_PATTERNS)('matches() finds what the regular expression of %s finds', (pattern) => {
  const dfa = new RegexDfa(patternText(pattern));
  fc.assert(fc.property(texts, (text) => {
    expect(found(dfa, text)).toEqual(splitByRegex(pattern, text));
    expect(foundInBytes(dfa, text)).toEqual(splitByRegex(pattern, text));
  }), { numRuns: 500, seed: 1 });
});

// The same in JavaScript's syntax, whose engine prefers alternatives in the same order.
test.each([
  ['a|ab|abc', 'a|ab|abc'],
  ['(?:ab|a)(?:c|bcd)?', '(?:ab|a)(?:c|bcd)?'],
  ['a*?b|a+', 'a*?b|a+'],
  ['a{2,3}?b{1,2}|[^ab]+?', 'a{2,3}?b{1,2}|[^ab]+?'],
  ['(?:a|b)*c|b', '(?:a|b)*c|b'],
  [String.raw`\d+(?=[a-c])|\s+$|\w`, String.raw`\p{Nd}+(?=[a-c])|\p{White_Space}+(?=\n|(?![\s\S]))|[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]`],
  ['[a-c&&[^b]]+|[[:space:]]', '[ac]+|\\p{White_Space}'],
  ['(?i)s+|L', '[sS\u017f]+|[lL]'],
  ['a++b', 'a+b'],
  [String.raw`\p{Han}+|\p{^L}`, String.raw`\p{Script=Han}+|\P{L}`],
])('%s finds what %s finds in JavaScript', (onig, source) => {
  const dfa = new RegexDfa(onig), reference = new RegExp(source, 'gu');
  fc.assert(fc.property(texts, (text) => {
    const wanted = [...text.matchAll(reference)].map(([match]) => match).filter((match) => match !== '');
    expect(found(dfa, text)).toEqual(wanted);
    expect(foundInBytes(dfa, text)).toEqual(wanted);
  }), { numRuns: 300, seed: 2 });
});

describe('RegexDfa() refuses', () => {
  test.each([
    ['a*', /match nothing/],
    ['(a', /"\(" without/],
    ['a)', /"\)" without/],
    ['[a', /end too early/],
    [String.raw`(a)\1`, /not supported/],
    ['(?<=a)b', /not supported/],
    ['(?=ab)a', /looking ahead further/],
    ['a++a', /possessive/],
    ['(a*)*b', /repetition of what can match nothing/],
    ['a{3,2}', /count/],
    ['a{99999}', /count/],
    [String.raw`\p{Nonsense}`, /unknown property/],
    ['(a{1,900}){1,900}', /states/],
    ['('.repeat(1000), /nested deeper/],
    ['['.repeat(1000), /nested deeper/],
  ])('%s', (source, message) => {
    expect(() => new RegexDfa(source)).toThrow(RegexError);
    expect(() => new RegexDfa(source)).toThrow(message);
  });
});

test('matches() takes patterns that others never end on in time that grows with the text', () => {
  for (const source of ['(a+)+$', '(a|aa)+$', '(a|a)*b', '(.*a){12}']) {
    const dfa = new RegexDfa(source), begin = performance.now();
    try {
      dfa.matches(`${'a'.repeat(20_000)}!`);
    } catch (error) {
      expect(error).toBeInstanceOf(RegexError); // gave up looking in vain
    }
    expect(performance.now() - begin).toBeLessThan(2000);
  }
});

test('the number of states is bounded', () => {
  const dfa = new RegexDfa('(?:a|b)*a(?:a|b){14}c'), text = fc.sample(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 20_000, maxLength: 20_000 }), { numRuns: 1, seed: 3 })[0]!;
  expect(dfa.endInText(`${text}a${'b'.repeat(14)}c`, 0)).toBe(text.length + 16);
});
