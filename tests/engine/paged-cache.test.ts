import { afterAll, describe, expect, it } from 'vitest';
import type { GenerateOptions } from '../../src/engine/index.ts';
import { closeExecutors, idsFrom, tinyEngine } from './tiny-model.ts';

afterAll(closeExecutors);
const greedy = { temperature: 0, maxTokens: 10 };

describe('Engine with a paged cache', () => {
  it('gives the same answer whether the prompt was there before or not', async () => {
    const engine = tinyEngine(), prompt = idsFrom(1, 23), cold = await engine.complete(prompt, greedy), warm = await engine.complete(prompt, greedy);
    expect(cold.usage).toEqual({ promptTokens: 23, cachedTokens: 0, completionTokens: 10 });
    expect(warm.usage).toEqual({ promptTokens: 23, cachedTokens: 20, completionTokens: 10 });
    expect(warm.ids).toEqual(cold.ids);
    const more = await engine.complete([...prompt, ...cold.ids], greedy); // a conversation that goes on
    expect(more.usage.cachedTokens).toBe(32); // all but the last token of the answer was run
    expect(more.ids).toEqual((await tinyEngine().complete([...prompt, ...cold.ids], greedy)).ids);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, usedBlocks: 0, cachedTokens: 52, completionTokens: 30 });
  });

  it('runs the last token of a prompt that is there as a whole', async () => {
    const engine = tinyEngine(), prompt = idsFrom(2, 24), cold = await engine.complete(prompt, greedy), warm = await engine.complete(prompt, greedy);
    expect([warm.usage.cachedTokens, warm.ids]).toEqual([20, cold.ids]);
  });

  it('leaves a prompt to others whose answer ended with its first token', async () => {
    const engine = tinyEngine(), prompt = idsFrom(2, 40);
    await engine.complete(prompt, { temperature: 0, maxTokens: 1 });
    expect((await engine.complete(prompt, { temperature: 0, maxTokens: 1 })).usage.cachedTokens).toBe(36);
  });

  it('shares nothing between salts', async () => {
    const engine = tinyEngine(), prompt = idsFrom(3, 20);
    await engine.complete(prompt, { ...greedy, cacheSalt: 'a' });
    expect((await engine.complete(prompt, { ...greedy, cacheSalt: 'b' })).usage.cachedTokens).toBe(0);
    expect((await engine.complete(prompt, { ...greedy, cacheSalt: 'a' })).usage.cachedTokens).toBe(16);
  });

  it('computes a beginning that requests of one moment share only once', async () => {
    const engine = tinyEngine(), shared = idsFrom(4, 32), prompts = [0, 1, 2, 3].map((i) => [...shared, i, i + 1]);
    const answers = await Promise.all(prompts.map((ids) => engine.complete(ids, greedy)));
    expect(answers.map(({ usage }) => usage.cachedTokens)).toEqual([0, 32, 32, 32]);
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual((await tinyEngine().complete(prompts[i]!, greedy)).ids);
  });

  it('forgets what was not used for longest when memory is needed', async () => {
    const engine = tinyEngine({ cacheTokens: 48 }), [a, b, c] = [idsFrom(5, 17), idsFrom(6, 17), idsFrom(7, 17)], short = { temperature: 0, maxTokens: 2 };
    for (const prompt of [a, b, a, c]) await engine.complete(prompt, short); // b makes way for c
    expect((await engine.complete(a, short)).usage.cachedTokens).toBe(16);
    expect((await engine.complete(b, short)).usage.cachedTokens).toBeLessThan(16);
  });

  it('takes memory from the last in order when there is none, and answers are the same', async () => {
    const engine = tinyEngine({ cacheTokens: 64, maxSeqs: 6 }), options: GenerateOptions = { temperature: 0.9, maxTokens: 24 };
    const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((i) => engine.complete(idsFrom(i, 5 + i), { ...options, seed: i })));
    expect(engine.stats().preemptions).toBeGreaterThan(0);
    expect(engine.stats().usedBlocks).toBe(0);
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual((await tinyEngine().complete(idsFrom(i + 1, 6 + i), { ...options, seed: i + 1 })).ids);
  });

  it('lets an urgent request pass those that wait', async () => {
    const engine = tinyEngine({ maxSeqs: 1 }), order: string[] = [];
    const ask = (name: string, priority: number) => engine.complete(idsFrom(priority, 9), { ...greedy, priority }).then(() => order.push(name));
    await Promise.all([ask('first', 0), ask('second', 0), ask('urgent', 5)]);
    expect(order[0]).toBe('urgent');
  });

  it('gives each of 32 requests what it gives it alone, with hits, preemption and guesses', async () => {
    const prompts = Array.from({ length: 32 }, (_, i) => [...idsFrom(i % 3, 8 + (i % 5) * 4), i, ...idsFrom(i, i % 7), i, ...idsFrom(i, i % 7)]), alone = tinyEngine({ maxSeqs: 1, speculation: 'off' });
    const engine = tinyEngine({ maxSeqs: 32, maxTokens: 128, cacheTokens: 640, speculation: 'always' });
    const together = await Promise.all(prompts.map((ids) => engine.complete(ids, { temperature: 0, maxTokens: 16, logprobs: 0 })));
    const { preemptions, cachedTokens, draftTokens } = engine.stats();
    expect([preemptions > 0, cachedTokens > 0, draftTokens > 0]).toEqual([true, true, true]);
    for (const [i, ids] of prompts.entries()) {
      const { usage: _, ...answer } = await alone.complete(ids, { temperature: 0, maxTokens: 16, logprobs: 0, cacheSalt: String(i) });
      expect(together[i]).toMatchObject(answer); // log-probabilities too: every bit
    }
  });

  it('refuses what the cache can never hold', async () => {
    await expect(tinyEngine({ cacheTokens: 16 }).complete(idsFrom(1, 17), greedy)).rejects.toThrow(/at most 16/);
    expect(await tinyEngine({ cacheTokens: 16 }).complete(idsFrom(1, 12), greedy)).toMatchObject({ finishReason: 'length', usage: { completionTokens: 4 } });
  });

  it('waits for a slow reader, and lets others have its place', async () => {
    const engine = tinyEngine({ maxSeqs: 1, maxUnread: 4 }), slow = engine.generate(idsFrom(1, 6), { temperature: 0, maxTokens: 20 }), seen: number[] = [];
    seen.push(...(await slow.next()).value!.ids);
    expect((await engine.complete(idsFrom(2, 6), greedy)).ids).toHaveLength(4 + 6); // 10, though maxSeqs is 1 and the slow one is not done
    for await (const { ids } of slow) seen.push(...ids);
    expect(seen).toEqual((await tinyEngine().complete(idsFrom(1, 6), { temperature: 0, maxTokens: 20 })).ids);
  });
});
