// A rank file with the ids that tiktoken gives (tests/golden/tokenizer/make_tiktoken.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, FormatError } from '../../src/base/errors.ts';
import { formatTokenizer, parseTiktoken, parseTokenizer } from '../../src/tokenizer/index.ts';

const FOLDER = new URL('../golden/tokenizer/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');
const expected = JSON.parse(read('tiktoken/expected.json')) as { patterns: Record<string, string>; special: Record<string, number>; ids: Record<string, number[][]> };
const { samples } = JSON.parse(read('pipelines/expected.json')) as { samples: string[] };
const ranks = read('tiktoken/ranks.tiktoken');

describe.each(Object.keys(expected.patterns))('%s', (name) => {
  const tokenizer = parseTiktoken(ranks, { pattern: expected.patterns[name]!, special: expected.special });

  test('encode() gives the ids of tiktoken, and decode() the text again', () => {
    samples.forEach((sample, i) => {
      const ids = tokenizer.encode(sample, { allowedSpecial: 'all' });
      expect([sample, [...ids]]).toEqual([sample, expected.ids[name]![i]]);
      expect(tokenizer.decode(ids)).toBe(sample);
    });
  });

  test('encodeWithOffsets() cuts the text into its tokens', () => {
    for (const sample of samples) {
      const { ids, offsets } = tokenizer.encodeWithOffsets(sample);
      ids.forEach((id, i) => {
        const text = tokenizer.decode([id]);
        if (!text.includes('\ufffd')) expect(sample.slice(offsets[2 * i], offsets[2 * i + 1])).toBe(text);
      });
    }
  });
});

test('formatTokenizer() writes it for other readers', () => {
  const again = parseTokenizer(formatTokenizer(parseTiktoken(ranks, { pattern: 'cl100k' })));
  const ids = samples.map((sample) => [...again.encode(sample)]);
  expect(ids).toEqual(samples.map((sample) => [...parseTiktoken(ranks, { pattern: expected.patterns['cl100k']! }).encode(sample)]));
});

test.each<[string, string, RegExp]>([
  ['an empty file', '', /no tokens/],
  ['a line of other text', 'IQ== 0\nhello\n', /line at byte 7 should be base64/],
  ['a rank twice', 'IQ== 0\nIg== 0\n', /rank 0 for the second time/],
  ['a token twice', 'IQ== 0\nIQ== 1\n', /repeats a token/],
  ['a huge rank', 'IQ== 99999999\n', /has the rank 99999999/],
  ['what is not base64', 'IQ=A= 0\n', /should be base64/],
])('parseTiktoken() refuses %s', (_, text, message) => {
  expect(() => parseTiktoken(text, { pattern: 'cl100k' })).toThrow(FormatError);
  expect(() => parseTiktoken(text, { pattern: 'cl100k' })).toThrow(message);
});

test('parseTiktoken() refuses patterns and special tokens that cannot be', () => {
  expect(() => parseTiktoken(ranks, { pattern: '(a+)+$' + String.raw`\1` })).toThrow(ConfigError);
  expect(() => parseTiktoken(ranks, { pattern: 'cl100k', special: { '<s>': 3 } })).toThrow(/the id 3/);
});
