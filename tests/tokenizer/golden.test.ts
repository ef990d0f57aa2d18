// Against Hugging Face tokenizers: files and ids made by tests/golden/tokenizer/make.py.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadTokenizer, parseTokenizer, formatTokenizer, trainBpe, trainChars, type SplitPattern, type Tokenizer } from '../../src/tokenizer/index.ts';

const FOLDER = new URL('../golden/tokenizer/', import.meta.url);
const GPT2 = new URL('../../../shared/data/formats/tokenizer-json/gpt2.tokenizer.json', import.meta.url);

const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');
const expected = JSON.parse(read('expected.json')) as {
  samples: string[];
  special: string[];
  ids: Record<SplitPattern, number[][]>;
  characters: [string, number[]][];
};
const corpus = read('corpus.txt').split('\n\n');

/** Whether Hugging Face's ids, decoded by ours, are the sample again, and ours are theirs. */
function expectSame(tokenizer: Tokenizer, ids: number[][]): void {
  expected.samples.forEach((sample, i) => {
    expect([...tokenizer.encode(sample, { allowedSpecial: 'all' })], JSON.stringify(sample)).toEqual(ids[i]);
    expect(tokenizer.decode(ids[i]!)).toBe(sample);
  });
}

describe.each(Object.keys(expected.ids) as SplitPattern[])('%s', (pattern) => {
  const file = read(`${pattern}.tokenizer.json`);

  test('parseTokenizer() gives the ids of Hugging Face tokenizers', () => {
    expectSame(parseTokenizer(file), expected.ids[pattern]);
  });

  test('formatTokenizer() keeps them', () => {
    expectSame(parseTokenizer(formatTokenizer(parseTokenizer(file))), expected.ids[pattern]);
  });

  test('trainBpe() learns the vocabulary and merges of its trainer', async () => {
    const theirs = (JSON.parse(file) as { model: { vocab: object; merges: string[][] } }).model;
    const trained = await trainBpe(corpus, { vocabSize: Object.keys(theirs.vocab).length, specialTokens: expected.special, pattern });
    const ours = (JSON.parse(formatTokenizer(trained)) as { model: { vocab: object; merges: string[][] } }).model;
    expect(ours.merges).toEqual(theirs.merges);
    expect(ours.vocab).toEqual(theirs.vocab);
  });
});

test('character files of Hugging Face tokenizers give its ids', async () => {
  const theirs = parseTokenizer(read('characters.tokenizer.json'));
  const ours = await trainChars(corpus, { specialTokens: ['<|endoftext|>'] });
  for (const tokenizer of [theirs, ours, parseTokenizer(formatTokenizer(ours))]) {
    for (const [text, ids] of expected.characters) {
      expect([...tokenizer.encode(text)]).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
  }
  expect(ours.idOf('<|endoftext|>')).toBe(theirs.idOf('<|endoftext|>'));
});

test.skipIf(!existsSync(GPT2))("GPT-2's own file gives the ids of Hugging Face tokenizers (skipped without ../shared)", () => {
  expectSame(loadTokenizer(GPT2.pathname), (JSON.parse(read('gpt2.json')) as { ids: number[][] }).ids);
});
