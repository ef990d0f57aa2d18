// First values: reproducible, independent by name, of the wanted distribution.

import { describe, expect, it } from 'vitest';
import type { Init } from '../../src/core/index.ts';
import { initialise } from '../../src/models/index.ts';

const state = (id: string, size: number, init: Init) => ({ id, meta: { shape: [size], dtype: 'f32' as const }, init });
const normal = { kind: 'normal', std: 2 } as const;

describe('initialise()', () => {
  it('depends on seed and name alone', () => {
    const a = initialise(state('a', 1000, normal), 1);
    expect(initialise(state('a', 1000, normal), 1)).toEqual(a);
    expect(initialise(state('a', 1000, normal), 2)).not.toEqual(a);
    expect(initialise(state('b', 1000, normal), 1)).not.toEqual(a);
    expect(initialise(state('a', 1000, normal), 1 + 2 ** 40)).not.toEqual(a);
  });

  it('is a prefix of a longer State of the same name, at every odd size', () => {
    const long = initialise(state('a', 40, normal), 1);
    for (let size = 0; size < 40; size++) expect(initialise(state('a', size, normal), 1)).toEqual(long.slice(0, size));
  });

  it('gives the same values on every machine', () => {
    expect([...initialise(state('blocks.0.attn.q.weight', 4, { kind: 'normal', std: 0.02 }), 7)].map((x) => x.toFixed(9))).toMatchInlineSnapshot(`
      [
        "0.013484179",
        "0.013240062",
        "-0.018445853",
        "0.012979398",
      ]
    `);
  });

  it('is normal: moments, tails, neighbours unrelated', () => {
    const n = 400_000, values = initialise(state('x', n, normal), 3).map((x) => x / 2);
    const mean = (f: (x: number, i: number) => number): number => values.reduce((sum, x, i) => sum + f(x, i), 0) / n;
    // Six standard errors of each statistic.
    const within = (value: number, expected: number, variance: number): void => expect(Math.abs(value - expected)).toBeLessThan(6 * Math.sqrt(variance / n));
    within(mean((x) => x), 0, 1);
    within(mean((x) => x * x), 1, 2);
    within(mean((x) => x ** 3), 0, 15);
    within(mean((x) => x ** 4), 3, 96);
    for (const lag of [1, 2, 3, 4]) within(mean((x, i) => x * (values[i + lag] ?? 0)), 0, 1);
    within(mean((x) => Number(Math.abs(x) > 3)), 0.0026998, 0.0027);
  });

  it('is uniform within the bound', () => {
    const n = 100_000, values = initialise(state('x', n, { kind: 'uniform', bound: 0.5 }), 3);
    expect(values.every((x) => Math.abs(x) <= 0.5)).toBe(true);
    expect(Math.abs(values.reduce((sum, x) => sum + x, 0) / n)).toBeLessThan(6 * Math.sqrt(1 / 12 / n));
    expect(Math.abs(values.reduce((sum, x) => sum + x * x, 0) / n - 1 / 12)).toBeLessThan(6 * Math.sqrt(1 / 180 / n));
  });

  it('fills given memory', () => {
    const out = new Float32Array(5).fill(9);
    expect(initialise(state('x', 5, { kind: 'zeros' }), 1, out)).toBe(out);
    expect([...out]).toEqual([0, 0, 0, 0, 0]);
    expect([...initialise(state('x', 5, { kind: 'ones' }), 1, out)]).toEqual([1, 1, 1, 1, 1]);
    initialise(state('x', 5, { kind: 'values', values: () => Float32Array.of(1, 2, 3, 4, 5) }), 1, out);
    expect([...out]).toEqual([1, 2, 3, 4, 5]);
  });
});
