import { describe, expect, it } from 'vitest';
import { learningRate, scheduleSchema } from '../../src/train/index.ts';

const rates = (steps: number, schedule: object): number[] => Array.from({ length: steps }, (_, i) => learningRate(i + 1, steps, 1, scheduleSchema.parse(schedule)));

describe('learningRate()', () => {
  it("gives nanoGPT's warm-up and cosine", () => {
    const steps = 2000, warmup = 100, min = 0.1; // train_shakespeare_char.py on a CPU, rates over the peak
    const nanoGpt = (it: number): number => {
      if (it < warmup) return (it + 1) / (warmup + 1);
      return min + 0.5 * (1 + Math.cos((Math.PI * (it - warmup)) / (steps - 1 - warmup))) * (1 - min);
    };
    rates(steps, { warmupSteps: warmup }).forEach((rate, it) => expect(rate).toBeCloseTo(nanoGpt(it), 12));
  });

  it('rises by equal parts, reaches the peak after the warm-up, and ends at the final rate', () => {
    expect(rates(6, { kind: 'cosine', warmupSteps: 3 }).slice(0, 4)).toEqual([0.25, 0.5, 0.75, 1]);
    expect(rates(50, { kind: 'cosine', warmupSteps: 3 }).at(-1)).toBeCloseTo(0.1, 12);
    expect(rates(50, { kind: 'cosine', finalRatio: 0, warmupSteps: 0 }).at(-1)).toBeCloseTo(0, 12);
    expect(rates(3, { kind: 'constant', warmupSteps: 1 })).toEqual([0.5, 1, 1]);
  });

  it('keeps the peak of wsd until its last part, which falls as 1 - sqrt', () => {
    const got = rates(100, { kind: 'wsd', warmupSteps: 10, decayFraction: 0.2 });
    expect(new Set(got.slice(10, 80))).toEqual(new Set([1]));
    expect(got[84]).toBeCloseTo(1 - Math.sqrt(0.25), 12);
    expect(got[99]).toBe(0);
  });

  it('gives finite rates at every edge', () => {
    for (const kind of ['cosine', 'wsd', 'constant']) {
      for (const schedule of [{ kind, warmupSteps: 0, decayFraction: 0 }, { kind, warmupSteps: 0, decayFraction: 1 }, { kind, warmupSteps: 9 }]) {
        for (const steps of [1, 2, 10]) {
          for (const rate of [...rates(steps, schedule), learningRate(99, steps, 1, scheduleSchema.parse(schedule))]) expect(rate >= 0 && rate <= 1).toBe(true);
        }
      }
    }
  });
});
