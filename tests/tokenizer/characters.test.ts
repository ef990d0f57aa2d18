import { expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { formatTokenizer, parseTokenizer, trainChars } from '../../src/tokenizer/index.ts';

test('trainChars() numbers the sorted distinct characters, then the special tokens', async () => {
  const tokenizer = await trainChars(['中b\n', '🎉a中'], { specialTokens: ['<|end|>'] });
  expect(['\n', 'a', 'b', '中', '🎉', '<|end|>'].map((token) => tokenizer.idOf(token))).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...tokenizer.encode('🎉中ab\n')]).toEqual([4, 3, 1, 2, 0]);
  expect(tokenizer.decode([4, 3, 1, 2, 0, 5])).toBe('🎉中ab\n<|end|>');
  expect(tokenizer.vocabSize).toBe(6);
});

test('encode() names the character that the vocabulary lacks', async () => {
  const tokenizer = await trainChars(['ab']);
  expect(() => tokenizer.encode('a中')).toThrow(ConfigError);
  expect(() => tokenizer.encode('a中')).toThrow(/中.*U\+4E2D.*2 characters/);
  expect(() => tokenizer.encode('\ud800')).toThrow(/U\+FFFD/);
});

test('encode() uses the unknown token of a file that has one', async () => {
  const json = formatTokenizer(await trainChars(['ab?'])).replace('"unk_token":null', '"unk_token":"?"');
  const tokenizer = parseTokenizer(json);
  expect(tokenizer.decode(tokenizer.encode('a中b'))).toBe('a?b');
});

test('trainChars() keeps characters that are names of object properties, digits and quotes', async () => {
  const text = '0123456789"\\\u2028\u0000_';
  const tokenizer = parseTokenizer(formatTokenizer(await trainChars([text], { specialTokens: ['__proto__', '1.5'] })));
  expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.specialTokens.get('__proto__')).toBe(15);
});

test('trainChars() refuses empty texts and special tokens that text could give', async () => {
  await expect(trainChars([])).rejects.toThrow(ConfigError);
  await expect(trainChars([''])).rejects.toThrow(ConfigError);
  for (const specialTokens of [['a'], [''], ['🎉'], ['<a>', '<a>']]) {
    await expect(trainChars(['abc'], { specialTokens })).rejects.toThrow(ConfigError);
  }
});

test('trainChars() takes an async source', async () => {
  async function* source(): AsyncGenerator<string> {
    yield 'b';
    yield 'a';
  }
  expect((await trainChars(source())).idOf('b')).toBe(1);
});
