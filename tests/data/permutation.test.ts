import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Permutation } from '../../src/data/permutation.ts';

describe('Permutation', () => {
  it('at() gives every index exactly once, for any size and key', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), fc.nat({ max: 50 }), (size, seed, epoch) => {
      const permutation = new Permutation(size, { seed, stream: 3, epoch });
      const seen = new Set(Array.from({ length: size }, (_, i) => permutation.at(i)));
      expect(seen.size).toBe(size);
      expect(Math.max(...seen)).toBe(size - 1);
      expect(Math.min(...seen)).toBe(0);
    }), { numRuns: 100, seed: 1 });
  });

  it('at() stays inside huge domains and does not repeat', () => {
    const size = 2 ** 45 + 12345, permutation = new Permutation(size, { seed: 5, stream: 0, epoch: 0 });
    const seen = new Set<number>();
    for (let i = 0; i < 5000; i++) {
      const value = permutation.at(size - 1 - i * 7919);
      expect(Number.isSafeInteger(value) && value >= 0 && value < size).toBe(true);
      seen.add(value);
    }
    expect(seen.size).toBe(5000);
  });

  it('at() differs by seed and by epoch', () => {
    const list = (seed: number, epoch: number): string => Array.from({ length: 64 }, (_, i) => new Permutation(64, { seed, stream: 0, epoch }).at(i)).join();
    expect(new Set([list(1, 0), list(1, 1), list(2, 0), list(2 ** 40 + 1, 0)]).size).toBe(4);
    expect(list(1, 0)).toBe(list(1, 0));
  });

  it('at() spreads its images evenly: chi-squared of 16 bins over many keys', () => {
    const bins = new Float64Array(16), runs = 4000;
    for (let seed = 0; seed < runs; seed++) bins[Math.floor(new Permutation(100, { seed, stream: 0, epoch: 0 }).at(0) / 6.25)]!++;
    // Bins hold 6 or 7 of the 100 images each.
    let chi = 0;
    for (let b = 0; b < 16; b++) {
      let images = 0;
      for (let v = 0; v < 100; v++) if (Math.floor(v / 6.25) === b) images++;
      const expected = (runs * images) / 100;
      chi += (bins[b]! - expected) ** 2 / expected;
    }
    expect(chi).toBeLessThan(37.7); // 15 degrees of freedom, p = 0.001
  });
});
