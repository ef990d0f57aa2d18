// `.model` files trained by sentencepiece, with the ids and texts that it gives (tests/golden/tokenizer/make_pipelines.py).
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../src/base/errors.ts';
import { parseSentencePiece } from '../../src/tokenizer/index.ts';

const FOLDER = new URL('../golden/tokenizer/pipelines/', import.meta.url);
const expected = JSON.parse(readFileSync(new URL('expected.json', FOLDER), 'utf8')) as { samples: string[]; models: Record<string, [ids: number[], text: string][]> };
const bytesOf = (name: string): Uint8Array => readFileSync(new URL(name, FOLDER));

describe.each(Object.keys(expected.models))('%s', (name) => {
  const tokenizer = parseSentencePiece(bytesOf(name), name), rows = expected.models[name]!;

  test('encode() gives the ids of sentencepiece', () => {
    expect(expected.samples.map((sample) => [sample, [...tokenizer.encode(sample)]])).toEqual(expected.samples.map((sample, i) => [sample, rows[i]![0]]));
  });

  test('decode() gives its texts', () => {
    expect(rows.map(([ids]) => tokenizer.decode(ids))).toEqual(rows.map(([, text]) => text));
  });

  test('encodeWithOffsets() gives the same ids, with places in order within the text', () => {
    for (const sample of expected.samples) {
      const { ids, offsets } = tokenizer.encodeWithOffsets(sample);
      expect(ids).toEqual(tokenizer.encode(sample));
      for (let i = 0; i < offsets.length; i += 2) {
        expect(offsets[i]!).toBeLessThanOrEqual(offsets[i + 1]!);
        expect(offsets[i + 1]!).toBeLessThanOrEqual(sample.length);
        if (i > 0) expect(offsets[i]!).toBeGreaterThanOrEqual(offsets[i - 2]!);
      }
    }
  });
});

describe('parseSentencePiece() refuses', () => {
  const good = bytesOf('bpe.model');

  test('a file cut at any byte, or says something that is whole', () => {
    for (let size = 0; size < good.length; size += size < 300 ? 1 : 97) {
      try {
        parseSentencePiece(good.subarray(0, size), 'cut.model');
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as FormatError).path).toBe('cut.model');
      }
    }
    expect(() => parseSentencePiece(good.subarray(0, 20))).toThrow(/at byte \d+/);
    expect(() => parseSentencePiece(new Uint8Array(0))).toThrow(/no pieces/);
  });

  test('bytes that were changed, with an error that is ours', () => {
    for (let at = 0; at < good.length; at += 37) {
      const bent = Uint8Array.from(good);
      bent[at]! ^= 0x81;
      try {
        parseSentencePiece(bent);
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(FormatError);
      }
    }
  });

  test.each<[string, number[], RegExp]>([
    ['a length that lies', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0a], /a field of 4294967295 bytes/],
    ['a number without end', [0x08, ...Array<number>(11).fill(0xff)], /more than ten bytes/],
    ['a piece without text', [0x0a, 0x00], /a piece without text/],
    ['a piece twice', [0x0a, 0x03, 0x0a, 0x01, 0x61, 0x0a, 0x03, 0x0a, 0x01, 0x61], /"a" for a second time/],
    ['a piece that is no UTF-8', [0x0a, 0x03, 0x0a, 0x01, 0xff], /not UTF-8/],
    ['a model of words', [0x0a, 0x03, 0x0a, 0x01, 0x61, 0x12, 0x02, 0x18, 0x03], /type 3/],
    ['a group', [0x0b], /unknown kind 3/],
  ])('%s', (_, bytes, message) => {
    expect(() => parseSentencePiece(Uint8Array.from(bytes))).toThrow(message);
    expect(() => parseSentencePiece(Uint8Array.from(bytes))).toThrow(FormatError);
  });
});
