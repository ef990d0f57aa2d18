import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import { trainBpe } from '../../src/tokenizer/index.ts';

const tokenizer = await trainBpe(['你好世界 hello'], { vocabSize: 262, specialTokens: ['<|end|>'] });

test('push() never cuts a character, and all of it is decode()', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
    const decoder = tokenizer.decoder(), parts = [...tokenizer.encode(text)].map((id) => decoder.push(id));
    expect(parts.every((part) => part.isWellFormed())).toBe(true);
    expect(parts.join('').includes('\ufffd')).toBe(text.includes('\ufffd'));
    expect(parts.join('') + decoder.flush()).toBe(text);
  }), { seed: 5 });
});

test('push() of any ids joins to decode() of them', () => {
  fc.assert(fc.property(fc.array(fc.nat(261)), (ids) => {
    const decoder = tokenizer.decoder();
    expect(ids.map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(tokenizer.decode(ids));
  }), { seed: 6 });
});

test('flush() ends an unfinished character and leaves the decoder ready', () => {
  const decoder = tokenizer.decoder(), [first] = tokenizer.encode('🎉');
  expect(decoder.push(first!)).toBe('');
  expect(decoder.flush()).toBe('\ufffd');
  expect(decoder.flush()).toBe('');
  expect([...tokenizer.encode('🎉')].map((id) => decoder.push(id)).join('')).toBe('🎉');
});

test('push() skips special tokens when asked, and refuses unknown ids', () => {
  const end = tokenizer.specialTokens.get('<|end|>')!;
  expect(tokenizer.decoder().push(end)).toBe('<|end|>');
  expect(tokenizer.decoder({ skipSpecialTokens: true }).push(end)).toBe('');
  expect(() => tokenizer.decoder().push(9999)).toThrow(ConfigError);
});
