import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax, likeliest, logSumExp, sample, Sampler, SamplerMemory, samplingSchema, type LogitBias, type Sampling } from '../../src/engine/index.ts';

const options = (given: Partial<Sampling> = {}): Sampling => samplingSchema.parse(given);
const logits = Float32Array.of(2, 1, 0, -1, 0.5, -3);

/** How often each id is drawn over many positions of one request. */
function frequencies(given: Partial<Sampling>, draws = 20_000, scores = logits, history: number[] = []): number[] {
  const counts = new Array<number>(scores.length).fill(0);
  const sampler = new Sampler(options(given), new SamplerMemory(scores.length), { prompt: history });
  for (let position = 0; position < draws; position++) counts[sampler.choose(scores, position)]!++;
  return counts.map((count) => count / draws);
}

function softmax(scores: ArrayLike<number>, temperature = 1): number[] {
  const scaled = Array.from(scores, (x) => x / temperature), lse = logSumExp(scaled);
  return scaled.map((x) => Math.exp(x - lse));
}

/** 5 standard deviations of a frequency of 20,000 draws. */
const TOLERANCE = 5 * Math.sqrt(0.25 / 20_000);

function expectClose(found: number[], wanted: number[]): void {
  found.forEach((f, id) => expect(Math.abs(f - wanted[id]!), `id ${id}: ${f} for ${wanted[id]}`).toBeLessThan(TOLERANCE));
}

/** The distribution of the kept ids, renormalised. */
function only(kept: number[], p: number[]): number[] {
  const total = kept.reduce((sum, id) => sum + p[id]!, 0);
  return p.map((x, id) => (kept.includes(id) ? x / total : 0));
}

describe('sample()', () => {
  it('draws from the softmax', () => expectClose(frequencies({}), softmax(logits)));
  it('divides by the temperature', () => expectClose(frequencies({ temperature: 0.5 }), softmax(logits, 0.5)));
  it('keeps the k likeliest', () => expectClose(frequencies({ topK: 3 }), only([0, 1, 4], softmax(logits))));
  it('keeps the shortest set of probability p', () => expectClose(frequencies({ topP: 0.7 }), only([0, 1], softmax(logits))));
  it('takes p of what k left', () => expectClose(frequencies({ topK: 3, topP: 0.9 }), only([0, 1, 4], softmax(logits))));
  it('drops what is unlikely beside the likeliest', () => expectClose(frequencies({ minP: 0.2 }), only([0, 1, 4], softmax(logits))));
  it('cuts after the temperature, not before', () => expectClose(frequencies({ minP: 0.2, temperature: 0.5 }), only([0], softmax(logits, 0.5))));

  it('makes repeated tokens less likely whatever the sign of their logit', () => {
    expectClose(frequencies({ repetitionPenalty: 2 }, 20_000, logits, [0, 3, 0]), softmax([1, 1, 0, -2, 0.5, -3]));
  });

  it('takes the likeliest token, the lowest of equals, at temperature 0', () => {
    expect(sample(Float32Array.of(1, 3, 3), [], options({ temperature: 0 }), 0)).toBe(1);
    expect(sample(Float32Array.of(NaN, -1, -2), [], options({ temperature: 0 }), 0)).toBe(1);
  });

  it('depends on seed and position alone', () => {
    const draw = (seed: number) => Array.from({ length: 50 }, (_, position) => sample(logits, [], options({ seed }), position));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('always gives an id of the vocabulary, and never changes the logits', () => {
    const scores = fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 40 });
    const settings = fc.record({
      temperature: fc.double({ min: 0, max: 5, noNaN: true }),
      topK: fc.nat(50),
      topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
      minP: fc.double({ min: 0, max: 1, noNaN: true }),
      repetitionPenalty: fc.double({ min: 0.5, max: 3, noNaN: true }),
      frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
      presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
      seed: fc.nat(),
    });
    fc.assert(fc.property(scores, settings, fc.nat(1000), (values, given, position) => {
      const before = Float32Array.from(values), given32 = before.slice();
      const id = sample(given32, [0], given, position);
      expect(id).toBeGreaterThanOrEqual(0);
      expect(id).toBeLessThan(values.length);
      expect(given32).toEqual(before);
    }));
  });
});

/** How often a request draws each id, after an answer of `answer`. */
function sampled(given: Partial<Sampling>, { answer = [], logitBias = {}, allowed, draws = 20_000 }: { answer?: number[]; logitBias?: LogitBias; allowed?: number[]; draws?: number }): number[] {
  const sampler = new Sampler(options(given), new SamplerMemory(logits.length), { prompt: [5, 5, 1], logitBias }), counts = new Array<number>(logits.length).fill(0);
  for (const id of answer) sampler.accept(id);
  const mask = allowed && Uint32Array.of(allowed.reduce((bits, id) => bits | (1 << id), 0));
  for (let position = 0; position < draws; position++) counts[sampler.choose(logits, position, mask)]!++;
  return counts.map((count) => count / draws);
}

describe('Sampler', () => {
  it('takes the frequency penalty for each time that the answer has a token, prompts not counted', () => {
    expectClose(sampled({ frequencyPenalty: 0.5 }, { answer: [0, 0, 4] }), softmax([1, 1, 0, -1, 0, -3]));
  });

  it('takes the presence penalty once', () => {
    expectClose(sampled({ presencePenalty: 1.5, frequencyPenalty: -0.25 }, { answer: [0, 0, 4] }), softmax([1, 1, 0, -1, -0.75, -3]));
  });

  it('adds the bias before penalties and temperature', () => {
    expectClose(sampled({ temperature: 2, repetitionPenalty: 2 }, { logitBias: { 2: 3, 0: -100 } }), softmax([-98, 0.5, 3, -1, 0.5, -6], 2));
    expect(sampled({}, { logitBias: { 3: 100 }, draws: 50 })[3]).toBe(1);
  });

  it('chooses among what a mask allows, whatever the cuts', () => {
    const p = softmax(logits);
    expectClose(sampled({}, { allowed: [2, 3, 5] }), only([2, 3, 5], p));
    expectClose(sampled({ topP: 0.99999999 }, { allowed: [2, 3] }), only([2, 3], p));
    expectClose(sampled({ topK: 4 }, { allowed: [2, 3, 5] }), only([2, 3, 5], p));
    expect(sampled({ temperature: 0 }, { allowed: [5], draws: 1 })[5]).toBe(1);
  });

  it('refuses a bias for what is no token', () => {
    const make = (logitBias: LogitBias) => () => new Sampler(options(), new SamplerMemory(6), { logitBias });
    expect(make({ 6: 1 })).toThrow(/token 6: give a number for an id of 0 to 5/);
    expect(make({ 1: NaN })).toThrow(/bias NaN/);
  });

  it('cuts a large vocabulary as sorting all of it does', () => {
    const scores = Float32Array.from({ length: 1500 }, (_, id) => 6 * Math.sin(id * 12.9898) + Math.cos(id)), order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
    const p = softmax(scores, 0.7), memory = new SamplerMemory(scores.length);
    for (const cuts of [{ topP: 0.5 }, { topP: 0.97 }, { topK: 40, topP: 0.9 }, { minP: 0.3 }, { topK: 300 }, { topP: 0.9, minP: 0.5 }]) {
      const { topK = 0, topP = 1, minP = 0 } = cuts as Partial<Sampling>, within = topK === 0 ? order : order.slice(0, topK);
      const all = within.reduce((sum, id) => sum + p[id]!, 0);
      let sum = 0;
      const kept = within.filter((id, i) => {
        const keep = i === 0 || (sum < topP * all && p[id]! >= minP * p[order[0]!]!);
        sum += keep ? p[id]! : Infinity;
        return keep;
      });
      const sampler = new Sampler(options({ ...cuts, temperature: 0.7 }), memory), drawn = new Set(Array.from({ length: 1500 }, (_, i) => sampler.choose(scores, i)));
      expect([...drawn].every((id) => kept.includes(id)), JSON.stringify(cuts)).toBe(true);
      if (kept.length < 40) expect(drawn.size).toBe(kept.length);
    }
  });
});

describe('likeliest()', () => {
  it('lists tokens from the top with their log-probabilities', () => {
    const p = softmax(logits);
    expect(likeliest(logits, 3).map(({ id }) => id)).toEqual([0, 1, 4]);
    likeliest(logits, 99).forEach(({ id, logprob }) => expect(Math.exp(logprob)).toBeCloseTo(p[id]!, 6));
  });
});

describe('logSumExp()', () => {
  it('does not overflow', () => expect(logSumExp([1000, 1000])).toBeCloseTo(1000 + Math.log(2), 9));
  it('is the only finite one', () => expect(logSumExp([-Infinity, 3])).toBe(3));
});

describe('argmax()', () => {
  it('finds the first of the largest', () => expect(argmax([1, 5, 5, 2])).toBe(1));
});
