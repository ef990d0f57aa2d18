import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FormatError, StorageError } from '../../src/base/errors.ts';
import { loadTiktoken, loadTokenizer, saveTokenizer, trainBpe } from '../../src/tokenizer/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'athanor-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tokenizer = await trainBpe(['to be or not to be 生存还是毁灭'], { vocabSize: 270, specialTokens: ['<|end|>'] });

test('saveTokenizer() and loadTokenizer() take a file or a model folder', () => {
  saveTokenizer(tokenizer, folder);
  expect(readdirSync(folder)).toEqual(['tokenizer.json']); // no temporary file is left
  for (const path of [folder, join(folder, 'tokenizer.json')]) {
    expect(loadTokenizer(path).encode('to be 生存')).toEqual(tokenizer.encode('to be 生存'));
  }
  const other = join(folder, 'other.json');
  saveTokenizer(tokenizer, other);
  expect(readFileSync(other)).toEqual(readFileSync(join(folder, 'tokenizer.json')));
});

test('loadTokenizer() names a missing, truncated or non-UTF-8 file', () => {
  expect(() => loadTokenizer(join(folder, 'nowhere'))).toThrow(StorageError);
  const damaged = join(folder, 'damaged.json');
  writeFileSync(damaged, readFileSync(join(folder, 'tokenizer.json')).subarray(0, 1000));
  expect(() => loadTokenizer(damaged)).toThrow(FormatError);
  expect(() => loadTokenizer(damaged)).toThrow(damaged);
  writeFileSync(damaged, Uint8Array.of(0x22, 0xff, 0x22));
  expect(() => loadTokenizer(damaged)).toThrow(/not UTF-8/);
});

test('saveTokenizer() names a folder that is not there', () => {
  expect(() => saveTokenizer(tokenizer, join(folder, 'no', 'where.json'))).toThrow(StorageError);
});

test('loadTokenizer() takes a .model, or a folder that has no other; loadTiktoken() a rank file', () => {
  const golden = new URL('../golden/tokenizer/', import.meta.url).pathname, inner = join(folder, 'spm');
  mkdirSync(inner);
  copyFileSync(join(golden, 'pipelines/bpe.model'), join(inner, 'tokenizer.model'));
  const text = 'Hello, 世界!', ids = loadTokenizer(inner).encode(text);
  expect(loadTokenizer(join(inner, 'tokenizer.model')).encode(text)).toEqual(ids);
  saveTokenizer(loadTokenizer(inner), inner); // from now on there is a tokenizer.json
  expect(loadTokenizer(inner).encode(text, { addSpecialTokens: false })).toEqual(ids);
  expect(loadTiktoken(join(golden, 'tiktoken/ranks.tiktoken'), { pattern: 'cl100k' }).encode(text).length).toBeGreaterThan(3);
  writeFileSync(join(inner, 'cut.model'), readFileSync(join(inner, 'tokenizer.model')).subarray(0, 5000));
  expect(() => loadTokenizer(join(inner, 'cut.model'))).toThrow(FormatError);
});
