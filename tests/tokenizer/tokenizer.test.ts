import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { parseTokenizer, formatTokenizer, trainBpe, trainChars, Tokenizer } from '../../src/tokenizer/index.ts';

const TEXTS = ['the cat sat on the mat. the end', '春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。', 'endoftext <|endoftext|> endoftext', "don't stop 123"];
let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await trainBpe(TEXTS, { vocabSize: 320, specialTokens: ['<|endoftext|>', '<|end|>', '<|end|>x'] });
});

describe('encode()', () => {
  test('of any text decodes to the text', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })), (text) => {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }), { numRuns: 2000, seed: 3 });
  });

  test('turns lone surrogates into U+FFFD', () => {
    expect(tokenizer.decode(tokenizer.encode('a\ud800b\udc00'))).toBe('a\ufffdb\ufffd');
    expect(tokenizer.decode(tokenizer.encode('\ud83d'.repeat(40_000)))).toBe('\ufffd'.repeat(40_000));
  });

  test('of text never gives a special token', () => {
    const pieces = ['<|endoftext|>', '<|end|>x', '<|', '|>', 'endoftext', ' ', '中', '\n'];
    fc.assert(fc.property(fc.array(fc.constantFrom(...pieces)).map((parts) => parts.join('')), (text) => {
      const ids = tokenizer.encode(text);
      expect(ids.some((id) => tokenizer.isSpecial(id))).toBe(false);
      expect(tokenizer.decode(ids)).toBe(text);
    }), { seed: 4 });
  });

  test('matches the special tokens that are allowed, the longest first', () => {
    const end = tokenizer.specialTokens.get('<|end|>')!, long = tokenizer.specialTokens.get('<|end|>x')!;
    expect([...tokenizer.encode('<|end|>x<|end|>', { allowedSpecial: 'all' })]).toEqual([long, end]);
    expect([...tokenizer.encode('<|end|>x', { allowedSpecial: ['<|end|>'] })]).toEqual([end, ...tokenizer.encode('x')]);
    const text = 'the cat<|endoftext|>春眠';
    const ids = tokenizer.encode(text, { allowedSpecial: ['<|endoftext|>'] });
    expect([...ids]).toEqual([...tokenizer.encode('the cat'), 0, ...tokenizer.encode('春眠')]);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('the cat春眠');
  });

  test('refuses to allow what is no special token', () => {
    expect(() => tokenizer.encode('a', { allowedSpecial: ['<|pad|>'] })).toThrow(ConfigError);
    expect(() => tokenizer.encode('a', { allowedSpecial: ['<|pad|>'] })).toThrow(/"<\|pad\|>".*<\|endoftext\|>/);
  });

  test('gives the same for a long text as for its parts', () => {
    const line = "The quick brown fox, 12345 times; 敏捷的棕色狐狸 don't\tjump!\n\n";
    const ids = tokenizer.encode(line.repeat(3000)); // several chunks
    expect(ids).toEqual(Uint32Array.from(Array(3000).fill([...tokenizer.encode(line)]).flat()));
  });

  test('takes a million equal letters, or Chinese without a blank, in n log n', () => {
    for (const text of ['a'.repeat(1_000_000), '春眠不觉晓'.repeat(100_000)]) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test('of nothing is nothing', () => {
    expect(tokenizer.encode('')).toEqual(new Uint32Array(0));
    expect(tokenizer.decode([])).toBe('');
  });

  test('frames the text by the template unless told not to', () => {
    const framed = new Tokenizer({ model: tokenizer.model, added: tokenizer.added, template: { prefix: [0], suffix: [1, 2] } });
    const plain = [...tokenizer.encode('the cat')];
    expect([...framed.encode('the cat')]).toEqual([0, ...plain, 1, 2]);
    expect([...framed.encode('the cat', { addSpecialTokens: false })]).toEqual(plain);
    const again = parseTokenizer(formatTokenizer(framed));
    expect([...again.encode('the cat')]).toEqual([0, ...plain, 1, 2]);
  });
});

describe('decode()', () => {
  test('refuses ids outside the vocabulary', () => {
    for (const id of [-1, 320, 1.5, NaN]) expect(() => tokenizer.decode([id])).toThrow(ConfigError);
    expect(() => tokenizer.decode([320])).toThrow(/320.*0 to 319/);
  });

  test('gives U+FFFD for a character cut in two, and keeps a byte order mark', () => {
    expect(tokenizer.decode([tokenizer.idOf('ä')!])).toBe('\ufffd'); // the byte E4 alone
    expect(tokenizer.decode(tokenizer.encode('\ufeffa'))).toBe('\ufeffa');
  });
});

test('tokenOf() and idOf() are inverse over the vocabulary', () => {
  expect(tokenizer.vocabSize).toBe(320);
  for (let id = 0; id < tokenizer.vocabSize; id++) expect(tokenizer.idOf(tokenizer.tokenOf(id)!)).toBe(id);
  expect(tokenizer.tokenOf(320)).toBeUndefined();
  expect(tokenizer.idOf('__proto__')).toBeUndefined();
});

test('Tokenizer() refuses added tokens that share an id or a text', async () => {
  const { model } = await trainChars(['ab']);
  const one = { id: 5, content: '<a>', special: true };
  expect(() => new Tokenizer({ model, added: [one, { ...one, content: '<b>' }] })).toThrow(ConfigError);
  expect(() => new Tokenizer({ model, added: [one, { ...one, id: 6 }] })).toThrow(ConfigError);
});
