import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random, philox, streamOf } from '../../src/base/random.ts';

describe('philox()', () => {
  const words = (seed: number, stream: number, index: number): string[] => {
    const out = new Uint32Array(4);
    philox(out, seed, stream, index);
    return [...out].map((word) => word.toString(16).padStart(8, '0'));
  };

  // kat_vectors of Random123 (Salmon et al. 2011), philox4x32-10. Here the counter is (index low, index high, stream, 0)
  // and the key (seed low, seed high), and index and seed are below 2^53: the vector of zeros fits as it is.
  it('gives the known answer for the counter and key of zeros', () => {
    expect(words(0, 0, 0)).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
  });

  /** Philox4x32-10 on 64-bit products, for any counter and key: an oracle written apart from ours. */
  function oracle(counter: readonly number[], key: readonly number[]): string[] {
    const mask = 0xffffffffn;
    let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint], [k0, k1] = key.map(BigInt) as [bigint, bigint];
    for (let round = 0; round < 10; round++) {
      const p0 = 0xd2511f53n * c0, p1 = 0xcd9e8d57n * c2;
      [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
      [k0, k1] = [(k0 + 0x9e3779b9n) & mask, (k1 + 0xbb67ae85n) & mask];
    }
    return [c0, c1, c2, c3].map((word) => word.toString(16).padStart(8, '0'));
  }

  it('has an oracle that gives the published vectors of ones and of the digits of π', () => {
    const ones = 0xffffffff;
    expect(oracle([ones, ones, ones, ones], [ones, ones])).toEqual(['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']);
    const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    expect(oracle(pi, [0xa4093822, 0x299f31d0])).toEqual(['d16cfe09', '94fdcceb', '5001e420', '24126ea1']);
  });

  it('agrees with the oracle for any seed, stream and index, beyond 32 bits too', () => {
    const large = fc.oneof(fc.maxSafeNat(), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1));
    fc.assert(fc.property(large, fc.nat({ max: 0xffffffff }), large, (seed, stream, index) => {
      const low = (n: number): number => n % 2 ** 32, high = (n: number): number => Math.floor(n / 2 ** 32);
      expect(words(seed, stream, index)).toEqual(oracle([low(index), high(index), stream, 0], [low(seed), high(seed)]));
    }), { numRuns: 2000, seed: 1 });
  });
});

describe('streamOf()', () => {
  it('is FNV-1a of 32 bits', () => {
    expect(streamOf('')).toBe(0x811c9dc5);
    expect(streamOf('a')).toBe(0xe40c292c); // test vectors of the FNV page
    expect(streamOf('foobar')).toBe(0xbf9cf968);
  });
});

describe('Random', () => {
  const take = (random: Random, n: number): number[] => Array.from({ length: n }, () => random.word());

  it('resumes exactly at any position', () => {
    fc.assert(fc.property(fc.maxSafeNat(), fc.nat(40), (seed, position) => {
      const all = take(new Random(seed, 'data.shuffle'), position + 9), resumed = new Random(seed, 'data.shuffle', position);
      expect(take(resumed, 9)).toEqual(all.slice(position));
      expect(resumed.position).toBe(position + 9);
    }), { numRuns: 300, seed: 2 });
  });

  it('differs by seed and by stream', () => {
    const starts = [[1, 'a'], [1, 'b'], [2, 'a'], [2 ** 40 + 1, 'a']] as const;
    expect(new Set(starts.map(([seed, stream]) => take(new Random(seed, stream), 4).join())).size).toBe(starts.length);
  });

  it('uniform() is in [0, 1) with mean 1/2 and variance 1/12', () => {
    const random = new Random(3), n = 100_000, draws = Array.from({ length: n }, () => random.uniform());
    expect(draws.every((u) => u >= 0 && u < 1)).toBe(true);
    const mean = draws.reduce((a, b) => a + b) / n, variance = draws.reduce((sum, u) => sum + (u - mean) ** 2, 0) / n;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n)); // five standard errors
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / n));
  });

  it('normal() has the moments of a standard normal', () => {
    const random = new Random(4), n = 100_000, draws = Array.from({ length: n }, () => random.normal());
    const moment = (k: number): number => draws.reduce((sum, x) => sum + x ** k, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
    expect(draws.every(Number.isFinite)).toBe(true);
  });

  it('int() is in range and even: chi-squared of seven bins', () => {
    const random = new Random(5), n = 70_000, bins = new Float64Array(7);
    for (let i = 0; i < n; i++) bins[random.int(7)]!++;
    const chi = bins.reduce((sum, count) => sum + (count - n / 7) ** 2 / (n / 7), 0);
    expect(chi).toBeLessThan(22.5); // 99.9% of chi-squared with 6 degrees of freedom
    expect(random.int(1)).toBe(0);
    expect(random.int(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it('shuffle() gives every order of three equally often, and a permutation of any length', () => {
    const counts = new Map<string, number>(), random = new Random(6);
    for (let i = 0; i < 6000; i++) {
      const items = [0, 1, 2];
      random.shuffle(items);
      counts.set(items.join(), (counts.get(items.join()) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000 * 5 / 6));
    const many = Uint32Array.from({ length: 1000 }, (_, i) => i);
    random.shuffle(many);
    expect(Uint32Array.from(many).sort()).toEqual(Uint32Array.from({ length: 1000 }, (_, i) => i));
    random.shuffle([]);
  });
});
