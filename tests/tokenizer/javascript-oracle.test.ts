// Against @huggingface/tokenizers on text of all kinds. Where it departs from the reference in Rust (whose ids ours are on
// the same text, see tests/golden/tokenizer/compare.py) the characters at fault are left out; DEPARTURES says which.
// ATHANOR_TOKENIZER_MB=10 takes so many megabytes for each tokenizer.
import { readFileSync } from 'node:fs';
import { Tokenizer as Reference } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { formatTokenizer, parseTokenizer } from '../../src/tokenizer/index.ts';
import { mixedText } from './mixed-text.ts';

const FOLDER = new URL('../golden/tokenizer/', import.meta.url);
const UNITS = Number(process.env['ATHANOR_TOKENIZER_MB'] ?? 0) * 1e6 / 1.6 || 20_000; // 1.6 bytes a unit
const PART = 2000; // units encoded at a time: some of it takes time with the square of the length

// Left out: odd-splits, whose behaviours it does not have.
const PIPELINES = ['llama2', 'phi3', 'mistral', 'gemma', 'no-bytes', 'deepseek_v3', 'o200k', 'smollm', 'roberta', 't5', 'xlmr', 'albert', 'bert', 'bert-cased', 'word-forms'];
const NAMES = [...PIPELINES.map((name) => `pipelines/${name}.json`), ...['gpt2', 'cl100k', 'cl100k-digits1', 'cl100k-digits2'].map((name) => `${name}.tokenizer.json`)];

const JS_SPACE = /[\ufeff\u0085]/g; // its \s is JavaScript's
const NO_CHARSMAP = /[^\n -~\u4e00-\u9fff]/gu; // it knows no precompiled table, but a form near NFKC
const DEPARTURES: Readonly<Record<string, RegExp>> = {
  'gpt2.tokenizer.json': JS_SPACE,
  'pipelines/phi3.json': JS_SPACE, // of which a token with rstrip takes some
  'pipelines/smollm.json': /[\ufeff\u0085\p{No}\p{Nl}]/gu, // and its digits are Nd only
  'pipelines/word-forms.json': JS_SPACE,
  'pipelines/t5.json': NO_CHARSMAP,
  'pipelines/xlmr.json': NO_CHARSMAP,
  'pipelines/albert.json': NO_CHARSMAP,
  'pipelines/bert.json': /[^\n -~\u4e00-\u9fff\u00c0-\u017f\u0590-\u06ff]/gu, // its controls and punctuation are JavaScript's newer ones
  'pipelines/bert-cased.json': /[^\n -~]/gu, // its \w is ASCII
};

/** The ids of both on parts of a text. */
function* compared(json: string, seed: number): Generator<[string, number[], number[]]> {
  const ours = parseTokenizer(json), theirs = new Reference(JSON.parse(json) as object, {});
  const name = NAMES[seed]!, skip = DEPARTURES[name];
  for (let at = 0, part = 0; at < UNITS; at += PART, part++) {
    const broken = mixedText(PART, 1000 * seed + part, true), text = skip === undefined ? broken : broken.replaceAll(skip, '');
    const wanted = theirs.encode(text.toWellFormed()).ids;
    yield [text, [...ours.encode(text, { allowedSpecial: 'all' })], [...wanted]];
  }
}

describe.each(NAMES.map((name, seed) => [name, seed] as const))('%s', (name, seed) => {
  const json = readFileSync(new URL(name, FOLDER), 'utf8');

  test('encode() gives the ids of @huggingface/tokenizers', () => {
    for (const [text, ours, theirs] of compared(json, seed)) expect([text, ours]).toEqual([text, theirs]);
  }, 3e6);

  test('formatTokenizer() writes what @huggingface/tokenizers reads to the same ids', () => {
    const text = mixedText(1000, seed), written = new Reference(JSON.parse(formatTokenizer(parseTokenizer(json))) as object, {});
    expect(written.encode(text).ids).toEqual(new Reference(JSON.parse(json) as object, {}).encode(text).ids);
  });
});
