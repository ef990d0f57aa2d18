// One tokenizer of each kind that families in use have, against Hugging Face tokenizers: files, ids, offsets and decoded
// texts made by tests/golden/tokenizer/make_pipelines.py.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatTokenizer, parseTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';

const FOLDER = new URL('../golden/tokenizer/pipelines/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

type Row = [ids: number[], offsets: number[], decoded: string, withoutSpecial: string];
const expected = JSON.parse(read('expected.json')) as { samples: string[]; pipelines: Record<string, Row[]> };

/** What a tokenizer makes of the samples, in the form of the golden file. */
function rowsOf(tokenizer: Tokenizer): [string, ...Row][] {
  return expected.samples.map((sample) => {
    const { ids, offsets } = tokenizer.encodeWithOffsets(sample, { allowedSpecial: 'all' });
    return [sample, [...ids], [...offsets], tokenizer.decode(ids), tokenizer.decode(ids, { skipSpecialTokens: true })];
  });
}

describe.each(Object.keys(expected.pipelines))('%s', (name) => {
  const json = read(`${name}.json`), tokenizer = parseTokenizer(json), rows = expected.pipelines[name]!;
  const wanted = expected.samples.map((sample, i) => [sample, ...rows[i]!]);

  test('encodeWithOffsets() and decode() give the ids, offsets and texts of Hugging Face tokenizers', () => {
    expect(rowsOf(tokenizer)).toEqual(wanted);
  });

  test('encode() gives the same ids, the second time too', () => {
    for (let round = 0; round < 2; round++) {
      expect(expected.samples.map((sample) => [...tokenizer.encode(sample, { allowedSpecial: 'all' })])).toEqual(rows.map(([ids]) => ids));
    }
  });

  test('formatTokenizer() keeps all of it', () => {
    expect(rowsOf(parseTokenizer(formatTokenizer(tokenizer)))).toEqual(wanted);
  });

  test('decoder() streams what decode() gives, and never half a character', () => {
    for (const [ids, , text, plain] of rows) {
      for (const [skipSpecialTokens, whole] of [[false, text], [true, plain]] as const) {
        const decoder = tokenizer.decoder({ skipSpecialTokens }), parts = ids.map((id) => decoder.push(id));
        expect(parts.join('') + decoder.flush()).toBe(whole);
        expect(parts.every((part) => part.isWellFormed() && (whole.includes('\ufffd') || !part.includes('\ufffd')))).toBe(true);
      }
    }
  });

  test('encode() of text never gives a special token that is not allowed', () => {
    const unknown = new Set(['<unk>', '[UNK]'].map((token) => tokenizer.idOf(token)));
    for (const sample of [...expected.samples, ...tokenizer.specialTokens.keys()]) {
      const ids = tokenizer.encode(sample, { addSpecialTokens: false });
      expect(ids.find((id) => tokenizer.isSpecial(id) && !unknown.has(id)), sample).toBeUndefined();
    }
  });
});
