import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { LossWatch } from '../../src/train/index.ts';

describe('LossWatch', () => {
  const noisy = (n: number): number[] => {
    const random = new Random(3, 'noise');
    return Array.from({ length: n }, () => 3 + 0.1 * random.normal());
  };

  it('knows a spike from noise', () => {
    const watch = new LossWatch(noisy(64));
    for (const loss of noisy(200)) expect(watch.isSpike(loss, 10)).toBe(false);
    expect(watch.isSpike(4.5, 10)).toBe(true);
    expect(watch.isSpike(1, 10)).toBe(false);
  });

  it('says nothing before it has seen enough, and takes no NaN in', () => {
    const watch = new LossWatch([1, 1, 1]);
    expect(watch.isSpike(100, 10)).toBe(false);
    for (const loss of [NaN, Infinity]) watch.add(loss);
    expect(watch.history).toEqual([1, 1, 1]);
  });

  it('goes on from its history', () => {
    const first = new LossWatch(noisy(100)), second = new LossWatch(first.history);
    first.add(5);
    second.add(5);
    expect(second.history).toEqual(first.history);
    expect(first.history).toHaveLength(64);
  });

  it('does not take the last digits of a memorised text for spikes', () => {
    expect(new LossWatch(new Array<number>(40).fill(2)).isSpike(2.01, 10)).toBe(false);
  });
});
