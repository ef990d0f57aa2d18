// llama.cpp's own vocabularies with the ids that it expects, out of ../shared; skipped where that is absent.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GgufFields } from '../../src/models/gguf-fields.ts';
import { parseGguf } from '../../src/models/gguf-header.ts';
import { tokenizerOf } from '../../src/models/gguf-tokenizer.ts';
import { ReadableFile } from '../../src/models/readable-file.ts';
import { formatTokenizer, parseTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';

const SHARED = new URL('../../../shared/data/', import.meta.url).pathname;
const SEPARATOR = '\n__ggml_vocab_test__\n';

function tokenizerIn(path: string): Tokenizer {
  const file = new ReadableFile(path);
  try {
    const tokenizer = tokenizerOf(new GgufFields(parseGguf(file), path));
    if (typeof tokenizer === 'string') throw new Error(tokenizer);
    return tokenizer;
  } finally {
    file.close();
  }
}

const isThere = existsSync(`${SHARED}formats/ggml-vocab`);

describe.skipIf(!isThere).each(['bert-bge', 'deepseek-coder', 'gpt-2', 'llama-spm', 'qwen2'])('ggml-vocab-%s (skipped without ../shared)', (name) => {
  const path = `${SHARED}formats/ggml-vocab/ggml-vocab-${name}.gguf`;
  const inputs = isThere ? readFileSync(`${path}.inp`, 'utf8').split(SEPARATOR) : [];
  const expected = isThere ? readFileSync(`${path}.out`, 'utf8').trimEnd().split('\n').map((line) => line.trim().split(/\s+/).filter((id) => id !== '').map(Number)) : [];

  test('tokenizerOf() gives the ids of llama.cpp, and formatTokenizer() keeps them', () => {
    const tokenizer = tokenizerIn(path);
    for (const one of [tokenizer, parseTokenizer(formatTokenizer(tokenizer))]) {
      expect(inputs.map((text) => [text, [...one.encode(text, { addSpecialTokens: false })]])).toEqual(inputs.map((text, i) => [text, expected[i] ?? []]));
    }
  });
});

test.skipIf(!existsSync(`${SHARED}models/stories260k`))('tokenizerOf() reads the SentencePiece vocabulary of a real model (skipped without ../shared)', () => {
  const tokenizer = tokenizerIn(`${SHARED}models/stories260k/stories260K.gguf`), text = 'Once upon a time, 你好 🎉\n there was  a girl.';
  expect(tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true })).toBe(text);
  expect(tokenizer.tokenOf(tokenizer.encode('Once upon')[1]!)).toBe('▁Once');
});
