import { afterAll, describe, expect, it } from 'vitest';
import { InterruptedError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import type { Engine } from '../../src/engine/index.ts';
import { closeExecutors, idsFrom, tinyEngine } from './tiny-model.ts';

afterAll(closeExecutors);

interface Request {
  readonly prompt: readonly number[];
  readonly options: { readonly temperature: number; readonly seed: number; readonly maxTokens: number; readonly priority: number };
  /** Turns of the event loop before it comes, and between its reads. */
  readonly delay: number;
  readonly slowness: number;
  /** Tokens after which it is given up: by its signal or by not reading any more. */
  readonly abortAfter: number;
  readonly leaveAfter: number;
}

interface Outcome {
  readonly ids: readonly number[];
  readonly end: 'finished' | 'aborted' | 'left' | 'failed';
}

function requestOf(random: Random): Request {
  const kind = random.int(6);
  return {
    prompt: [...idsFrom(random.int(3), random.int(20)), random.int(61)],
    options: { temperature: random.int(2), seed: random.int(100), maxTokens: random.int(16), priority: random.int(8) === 0 ? 1 : 0 },
    delay: random.int(40),
    slowness: random.int(4) === 0 ? random.int(30) : 0,
    abortAfter: kind === 0 ? random.int(6) : Infinity,
    leaveAfter: kind === 1 ? random.int(6) : Infinity,
  };
}

const turns = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
};

async function outcomeOf(engine: Engine, request: Request): Promise<Outcome> {
  const controller = new AbortController(), ids: number[] = [];
  await turns(request.delay);
  if (request.abortAfter === 0) controller.abort();
  try {
    let ends = 0;
    for await (const part of engine.generate(request.prompt, { ...request.options, signal: controller.signal })) {
      expect(ends, 'nothing comes after the last part').toBe(0);
      ids.push(...part.ids);
      if (part.finishReason) ends++;
      if (ids.length >= request.abortAfter) controller.abort();
      if (ids.length >= request.leaveAfter) return { ids, end: 'left' };
      await turns(request.slowness);
    }
    expect(ends).toBe(1);
    return { ids, end: 'finished' };
  } catch (error) {
    return { ids, end: error instanceof InterruptedError ? 'aborted' : 'failed' };
  }
}

describe('Engine under random arrivals, aborts, slow readers and short memory', () => {
  it.each([1, 2, 3])('ends each request once, with its own tokens, and gets everything back (%d)', async (seed) => {
    const random = new Random(seed, 'requests'), requests = Array.from({ length: 60 }, () => requestOf(random));
    const engine = tinyEngine({ maxSeqs: 5, cacheTokens: 56, maxUnread: 3, speculation: seed === 2 ? 'always' : 'ngram' }), alone = tinyEngine({ maxSeqs: 1, speculation: 'off' });
    const outcomes = await Promise.all(requests.map((request) => outcomeOf(engine, request)));
    for (const [i, { ids, end }] of outcomes.entries()) {
      const { prompt, options, abortAfter, leaveAfter } = requests[i]!, wanted = await alone.complete(prompt, options);
      expect(ids).toEqual(wanted.ids.slice(0, ids.length));
      if (end === 'finished') expect(ids).toEqual(wanted.ids);
      else expect(end).toBe(Math.min(abortAfter, leaveAfter) === Infinity ? 'finished' : abortAfter < Infinity ? 'aborted' : 'left');
    }
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, usedBlocks: 0 });
    expect(engine.stats().preemptions).toBeGreaterThan(0);
    await engine.close();
  });
});
