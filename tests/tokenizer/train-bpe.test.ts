import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, InterruptedError } from '../../src/base/errors.ts';
import * as source from '../../src/tokenizer/index.ts';
import { splitByRegex } from '../../src/tokenizer/index.ts';

const { formatTokenizer, trainBpe, trainBpeParallel } = source;
const BUILT = new URL('../../dist/tokenizer/index.js', import.meta.url);

/** The definition: count all pairs anew after every merge; the most frequent, then the pair of smaller ids. */
function learnSlowly(texts: string[], vocabSize: number): string[][] {
  const empty = source.parseTokenizer(EMPTY), merges: string[][] = [];
  const tokens = Array.from({ length: 256 }, (_, id) => empty.tokenOf(id)!);
  const encoder = new TextEncoder();
  const spelled = (piece: string): string[] => [...encoder.encode(piece)].map((byte) => BYTE_NAMES[byte]!);
  const words = texts.flatMap((text) => splitByRegex('cl100k', text)).map(spelled);
  while (tokens.length < vocabSize) {
    const counts = new Map<string, number>();
    for (const word of words) for (let i = 0; i + 1 < word.length; i++) counts.set(`${word[i]} ${word[i + 1]}`, (counts.get(`${word[i]} ${word[i + 1]}`) ?? 0) + 1);
    const id = (token: string): number => tokens.indexOf(token);
    const best = [...counts].map(([pair, count]) => ({ pair: pair.split(' '), count }))
      .sort((a, b) => b.count - a.count || id(a.pair[0]!) - id(b.pair[0]!) || id(a.pair[1]!) - id(b.pair[1]!))[0];
    if (best === undefined) break;
    const [left, right] = best.pair as [string, string];
    merges.push([left, right]);
    if (!tokens.includes(left + right)) tokens.push(left + right);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
    }
  }
  return merges;
}

const EMPTY = formatTokenizer(await trainBpe([], { vocabSize: 256 }));
const BYTE_NAMES = Array.from({ length: 256 }, (_, byte) => {
  const tokenizer = source.parseTokenizer(EMPTY);
  for (let id = 0; id < 256; id++) if (tokenizer.bytesOf(id)[0] === byte) return tokenizer.tokenOf(id)!;
  throw new Error(`no token for byte ${byte}`);
});

const mergesOf = (json: string): string[][] => (JSON.parse(json) as { model: { merges: string[][] } }).model.merges;

describe('trainBpe()', () => {
  test('learns what the definition says, with random texts full of ties', async () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '中', ' '), maxLength: 30 });
    await fc.assert(fc.asyncProperty(fc.array(word, { maxLength: 12 }), async (texts) => {
      const ours = mergesOf(formatTokenizer(await trainBpe(texts, { vocabSize: 275 })));
      expect(ours).toEqual(learnSlowly(texts, 275));
    }), { numRuns: 60, seed: 9 });
  });

  test('does not depend on the order of the texts', async () => {
    const texts = ['the cat', 'the hat', '中文 中文', 'that that'];
    const a = formatTokenizer(await trainBpe(texts, { vocabSize: 290 }));
    expect(formatTokenizer(await trainBpe(texts.toReversed(), { vocabSize: 290 }))).toBe(a);
  });

  test('stops early when no pair is left, or none is frequent enough', async () => {
    expect((await trainBpe(['ab'], { vocabSize: 1000 })).vocabSize).toBe(257);
    expect((await trainBpe(['ab'], { vocabSize: 1000, minFrequency: 2 })).vocabSize).toBe(256);
    expect((await trainBpe(['', ' '], { vocabSize: 1000 })).vocabSize).toBe(256);
  });

  test('never merges to what spells a special token', async () => {
    const tokenizer = await trainBpe(['the the the then then'], { vocabSize: 300, specialTokens: ['the', 'Ġthe'] });
    const ids = tokenizer.encode('the then the');
    expect([...ids].some((id) => tokenizer.isSpecial(id))).toBe(false);
    expect(tokenizer.decode(ids)).toBe('the then the');
  });

  test('takes a line of a million letters without a blank', async () => {
    const line = 'abcdefghij'.repeat(100_000), tokenizer = await trainBpe([line], { vocabSize: 400 });
    expect(tokenizer.decode(tokenizer.encode(line))).toBe(line);
  });

  test.each([
    ['vocabSize', { vocabSize: 255 }],
    ['vocabSize', { vocabSize: 256, specialTokens: ['<a>'] }],
    ['vocabSize', { vocabSize: NaN }],
    ['vocabSize', { vocabSize: 1e9 }],
    ['minFrequency', { vocabSize: 300, minFrequency: -1 }],
    ['specialTokens', { vocabSize: 300, specialTokens: [''] }],
    ['specialTokens', { vocabSize: 300, specialTokens: ['a'] }],
    ['specialTokens', { vocabSize: 300, specialTokens: ['<a>', '<a>'] }],
    ['pattern', { vocabSize: 300, pattern: 'gpt5' as 'gpt2' }],
  ])('refuses a wrong %s', async (path, options) => {
    await expect(trainBpe(['a'], options)).rejects.toThrow(ConfigError);
    await expect(trainBpe(['a'], options)).rejects.toMatchObject({ path });
  });

  test('reports progress, stops on a signal, and passes on what a callback throws', async () => {
    const stages: string[] = [];
    await trainBpe(['aa', 'bb'], { vocabSize: 258, onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done} ${total}`) });
    expect(stages).toEqual(['count 2 undefined', 'count 4 undefined', 'merge 258 258']);
    await expect(trainBpe(['a'], { vocabSize: 256, signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
    await expect(trainBpe(['a'], { vocabSize: 256, onProgress: () => {
      throw new RangeError('mine');
    } })).rejects.toThrow(RangeError);
  });
});

describe('trainBpeParallel()', () => {
  const texts = Array.from({ length: 400 }, (_, i) => `Document ${i}: the quick brown fox 敏捷的狐狸 ${'x'.repeat(i)}\n`.repeat(20));
  const options = { vocabSize: 600, specialTokens: ['<|endoftext|>'] };

  test('gives what trainBpe() gives, from sources', async () => {
    expect(formatTokenizer(await trainBpeParallel(texts, { ...options, threads: 2 }))).toBe(formatTokenizer(await trainBpe(texts, options)));
    await expect(trainBpeParallel(texts, { ...options, threads: 0 })).rejects.toMatchObject({ path: 'threads' });
  });

  describe.skipIf(!existsSync(BUILT))('as built (skipped without dist: run npm run build)', () => {
    test.each([1, 2, 3])('gives the same with %i threads', async (threads) => {
      const built = (await import(BUILT.href)) as typeof source;
      const many = [...texts, 'one long text 长文本 '.repeat(100_000)]; // several batches, one text over many chunks
      const tokenizer = await built.trainBpeParallel(many, { ...options, threads });
      expect(built.formatTokenizer(tokenizer)).toBe(formatTokenizer(await trainBpe(many, options)));
    });

    test('stops its threads when the source fails, or a signal comes', async () => {
      const built = (await import(BUILT.href)) as typeof source;
      function* failing(): Generator<string> {
        yield 'a'.repeat(100);
        throw new RangeError('the source is broken');
      }
      await expect(built.trainBpeParallel(failing(), { ...options, threads: 2 })).rejects.toThrow('the source is broken');
      await expect(built.trainBpeParallel(texts, { ...options, threads: 2, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    });
  });
});
