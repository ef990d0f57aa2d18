import { afterAll, describe, expect, it } from 'vitest';
import { NgramIndex } from '../../src/engine/ngram-drafter.ts';
import type { Drafter } from '../../src/engine/index.ts';
import { closeExecutors, idsFrom, tinyEngine } from './tiny-model.ts';

afterAll(closeExecutors);

/** Guesses what is right, or surely wrong, for the answer that a plain engine gives. */
function oracle(prompt: readonly number[], answer: readonly number[], isRight: (position: number) => boolean): Drafter {
  const all = [...prompt, ...answer];
  return {
    reach: (_sequence, most) => most,
    propose: (sequences, most) => sequences.forEach((s) => (s.draft = all.slice(s.ids.length, s.ids.length + most).map((id, i) => (isRight(s.ids.length + i) ? id : (id + 1) % 61)))),
    cost: () => 0,
    forget: () => {},
    close: async () => {},
  };
}

describe.each([0, 0.8])('speculation at temperature %d', (temperature) => {
  const options = { temperature, seed: 5, maxTokens: 30, logprobs: 1 };

  it('gives what plain decoding gives, bit by bit', async () => {
    const prompt = [...idsFrom(1, 6), ...idsFrom(1, 6)], plain = await tinyEngine({ speculation: 'off' }).complete(prompt, options);
    const engine = tinyEngine({ speculation: 'always' });
    expect(await engine.complete(prompt, options)).toEqual(plain);
  });

  it('takes right guesses and drops wrong ones', async () => {
    const prompt = idsFrom(2, 9), plain = await tinyEngine({ speculation: 'off' }).complete(prompt, options);
    for (const isRight of [() => true, (position: number) => position % 4 !== 0, () => false]) {
      const engine = tinyEngine({ speculation: oracle(prompt, plain.ids, isRight) });
      for (let i = 0; i < 4; i++) expect({ ...(await engine.complete(prompt, options)), usage: plain.usage }).toEqual(plain);
      const { draftTokens, acceptedTokens, completionTokens } = engine.stats();
      expect(completionTokens).toBe(120);
      expect(acceptedTokens).toBeLessThanOrEqual(draftTokens);
    }
  });
});

describe('speculation', () => {
  it('saves steps where text repeats itself', async () => {
    const prompt = idsFrom(3, 12), options = { temperature: 0, maxTokens: 30 }, plain = tinyEngine({ speculation: 'off' }), fast = tinyEngine({ speculation: 'always' });
    const { ids } = await plain.complete(prompt, options), again = [...ids.slice(0, 10), ...prompt.slice(0, 6)];
    expect(await fast.complete(again, options)).toEqual(await plain.complete(again, options));
    const { acceptedTokens, completionTokens, steps } = fast.stats();
    expect(steps + acceptedTokens).toBeGreaterThanOrEqual(completionTokens);
  });

  it('does not run over the end of a sequence or of an answer', async () => {
    const prompt = Array.from({ length: 20 }, (_, i) => i % 4);
    for (const maxTokens of [1, 2, 3, 100]) {
      const answer = await tinyEngine({ speculation: 'always' }).complete(prompt, { temperature: 0, maxTokens });
      expect(answer).toEqual(await tinyEngine({ speculation: 'off' }).complete(prompt, { temperature: 0, maxTokens }));
    }
  });
});

describe('NgramIndex', () => {
  it('finds the last earlier place of the last three tokens', () => {
    const index = new NgramIndex(), ids = [1, 2, 3, 9, 1, 2, 3, 8, 1, 2];
    expect(index.find(ids)).toBeUndefined();
    ids.push(3);
    expect(index.find(ids)).toBe(7);
    ids.push(8, 1, 2);
    expect(index.find(ids)).toBe(10);
  });

  it('has nothing for short and for new texts', () => {
    for (const ids of [[], [1], [1, 2], [1, 2, 3], [1, 1, 2, 1]]) expect(new NgramIndex().find(ids)).toBeUndefined();
    expect(new NgramIndex().find([1, 1, 1, 1])).toBe(3);
  });
});
