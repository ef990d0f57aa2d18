import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTokenizer, splitByRegex, formatTokenizer, trainBpe, type Tokenizer } from '../../src/tokenizer/index.ts';

type Model = { vocab: Record<string, number>; merges: [string, string][] };

/** The definition of byte-level BPE, with nothing cached, cut or hashed. */
function encodeSlowly(tokenizer: Tokenizer, text: string): number[] {
  const { vocab, merges } = (JSON.parse(formatTokenizer(tokenizer)) as { model: Model }).model;
  const spelling = new Map(Array.from({ length: 256 }, (_, id) => [tokenizer.bytesOf(id)[0]!, tokenizer.tokenOf(id)!]));
  return splitByRegex('cl100k', text).flatMap((piece) => {
    const symbols = [...new TextEncoder().encode(piece)].map((byte) => spelling.get(byte)!);
    for (;;) {
      const rank = merges.findIndex(([left, right]) => symbols.some((symbol, i) => symbol === left && symbols[i + 1] === right));
      if (rank < 0) return symbols.map((symbol) => vocab[symbol]!);
      const [left, right] = merges[rank]!;
      symbols.splice(symbols.findIndex((symbol, i) => symbol === left && symbols[i + 1] === right), 2, left + right);
    }
  });
}

// Few characters, whose bytes repeat each other's, so that tokens end inside of characters and cross between them.
const character = fc.constantFrom('中', '丮', '串', '世', 'a', 'b', ' ', 'é', '🎉', '🎈', '，');
const text = fc.string({ unit: character, maxLength: 60 });

test('encode() equals the definition where pieces are long and tokens cross characters', async () => {
  await fc.assert(fc.asyncProperty(fc.array(text, { maxLength: 8 }), text, async (texts, sample) => {
    const tokenizer = await trainBpe(texts, { vocabSize: 256 + 40 });
    for (const one of [sample, ...texts]) expect([...tokenizer.encode(one)]).toEqual(encodeSlowly(tokenizer, one));
  }), { numRuns: 60, seed: 11 });
});

test('encode() equals the definition with merges that cut characters', () => {
  const empty = JSON.parse(EMPTY) as { model: Model };
  const bytes = [...new Set(new TextEncoder().encode('中丮串世é🎉🎈，'))].map((byte) => {
    const tokenizer = parseTokenizer(EMPTY);
    return Array.from({ length: 256 }, (_, id) => id).find((id) => tokenizer.bytesOf(id)[0] === byte)!;
  }).map((id) => Object.keys(empty.model.vocab).find((token) => empty.model.vocab[token] === id)!);
  const picks = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 });
  fc.assert(fc.property(picks, text, (pairs, sample) => {
    const tokens = [...bytes], vocab = { ...empty.model.vocab }, merges: [string, string][] = [];
    for (const [a, b] of pairs) { // any two tokens so far, in whatever order
      const left = tokens[a % tokens.length]!, right = tokens[b % tokens.length]!;
      if (left.length + right.length > 8 || Object.hasOwn(vocab, left + right)) continue;
      merges.push([left, right]);
      vocab[left + right] = Object.keys(vocab).length;
      tokens.push(left + right);
    }
    const tokenizer = parseTokenizer(JSON.stringify({ ...empty, model: { ...empty.model, vocab, merges } }));
    expect([...tokenizer.encode(sample)]).toEqual(encodeSlowly(tokenizer, sample));
  }), { numRuns: 300, seed: 12 });
});

test('encode() gives the same ids again from its cache, and after the cache was full', async () => {
  const tokenizer = await trainBpe(['abc abd abe 123 中文'], { vocabSize: 262 });
  const words = Array.from({ length: 140_000 }, (_, i) => ` ${i.toString(26).replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)]!)}`);
  const first = tokenizer.encode(words.join('')); // more distinct pieces than the cache keeps
  expect(tokenizer.encode(words.join(''))).toEqual(first);
  expect(tokenizer.decode(first)).toBe(words.join(''));
});

const EMPTY = formatTokenizer(await trainBpe([], { vocabSize: 256 }));
