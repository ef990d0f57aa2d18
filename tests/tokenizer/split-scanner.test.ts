import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { patternOf, patternText, SPLIT_PATTERNS, splitByRegex } from '../../src/tokenizer/split-pattern.ts';
import { splitByScanner } from '../../src/tokenizer/split-scanner.ts';

/** Characters that the rules tell apart, odd ones above all: each kind of space, line end, digit, mark, letter case. */
const ODD = [
  ' ',
  '  ',
  '\n',
  '\r',
  '\r\n',
  '\t',
  '\v',
  '\f',
  '\u0085',
  '\u00a0',
  '\u2003',
  '\u2028',
  '\u3000',
  '\ufeff',
  '\u200b',
  '\0',
  "'",
  "'s",
  "'S",
  "'ll",
  "'Re",
  "'\u017f",
  "'\u013f",
  "'v",
  "'\u0012\u0005",
  's',
  't',
  'm',
  'd',
  'LL',
  'K',
  'a',
  'Z',
  'é',
  'ß',
  'e\u0301',
  '\u0301',
  '\u0e33',
  'ا',
  'हि',
  '中',
  '文字',
  '，',
  '。',
  '「',
  '1',
  '23',
  '4567',
  '٣',
  'Ⅷ',
  '½',
  '²',
  '𝟘',
  '𐄇',
  '.',
  '!!',
  '_',
  '$',
  '#',
  '🎉',
  '👩‍👩‍👧',
  '🇨🇳',
  '𠀀',
  '𝒳',
  '\u{10ffff}',
  '\u{e0001}',
  '\ue000',
  '한글',
  'ひら',
  '~',
  '`',
];

const oddText = fc.array(fc.constantFrom(...ODD), { maxLength: 40 }).map((parts) => parts.join(''));
const anyText = fc.string({ unit: 'binary', maxLength: 60 }); // any code points but surrogates

describe.each(SPLIT_PATTERNS)('scanner of %s', (pattern) => {
  test('equals the regular expression on mixed text', () => {
    fc.assert(fc.property(fc.oneof(oddText, anyText, fc.tuple(oddText, anyText).map((t) => t.join(''))), (text) => {
      expect(splitByScanner(pattern, text)).toEqual(splitByRegex(pattern, text));
    }), { numRuns: 3000, seed: 1 });
  });

  test('equals it on every code point between two letters, blanks, and apostrophes', () => {
    for (let start = 0; start < 0x110000; start += 0x1000) {
      if (start >= 0xd000 && start < 0xe000 && start !== 0xd000) continue;
      if (start >= 0x40000 && start < 0xe0000) continue; // unassigned planes: covered by the random code points
      let text = '';
      for (let c = start; c < start + 0x1000; c += start < 0x3000 ? 1 : 7) {
        if (c < 0xd800 || c > 0xdfff) text += `a${String.fromCodePoint(c)}b ${String.fromCodePoint(c)}'${String.fromCodePoint(c)}`;
      }
      expect(splitByScanner(pattern, text)).toEqual(splitByRegex(pattern, text));
    }
  });

  test('pieces joined are the text', () => {
    fc.assert(fc.property(anyText, (text) => {
      expect(splitByScanner(pattern, text).join('')).toBe(text);
    }), { seed: 2 });
  });
});

test('splitByScanner() cuts English, code and Chinese as GPT-4 does', () => {
  expect(splitByScanner('cl100k', "I've 12345 things,\n  if (x) {  // 你好，世界\r\n\r\n}"))
    .toEqual(['I', "'ve", ' ', '123', '45', ' things', ',\n', ' ', ' if', ' (', 'x', ')', ' {', ' ', ' //', ' 你好', '，世界', '\r\n\r\n', '}']);
});

test('splitByScanner() cuts as GPT-2 does', () => {
  expect(splitByScanner('gpt2', "I'VE I've 12345 things,\n  你好，世界 \n"))
    .toEqual(['I', "'", 'VE', ' I', "'ve", ' 12345', ' things', ',', '\n ', ' 你好', '，', '世界', ' \n']);
});

test('splitByScanner() goes once over a million blanks, letters or apostrophes', () => {
  for (const character of [' ', 'a', "'", '\n', '中', '7']) {
    const pieces = splitByScanner('cl100k', character.repeat(1_000_000));
    expect(pieces.join('').length).toBe(1_000_000);
  }
});

test('patternOf() knows each spelling and no other', () => {
  for (const pattern of SPLIT_PATTERNS) expect(patternOf(patternText(pattern))).toBe(pattern);
  expect(patternOf(String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`)).toBe('cl100k-digits2');
  expect(patternOf('\\w+')).toBeUndefined();
  expect(patternOf('__proto__')).toBeUndefined();
});
