import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax, likeliest, logSumExp, sample, samplingSchema, type Sampling } from '../../src/engine/index.ts';

const options = (given: Partial<Sampling> = {}): Sampling => samplingSchema.parse(given);
const logits = Float32Array.of(2, 1, 0, -1, 0.5, -3);

/** How often each id is drawn over many positions of one request. */
function frequencies(given: Partial<Sampling>, draws = 20_000, scores = logits, history: number[] = []): number[] {
  const counts = new Array<number>(scores.length).fill(0);
  for (let position = 0; position < draws; position++) counts[sample(scores, history, options(given), position)]!++;
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
