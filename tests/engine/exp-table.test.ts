import { describe, expect, it } from 'vitest';
import { ExpTable } from '../../src/engine/exp-table.ts';

describe('ExpTable', () => {
  const table = new ExpTable();

  it('is e^x to 13 digits', () => {
    for (let x = 0; x > -690; x -= 0.00917 + Math.abs(x) / 300) expect(Math.abs(table.of(x) / Math.exp(x) - 1), `x = ${x}`).toBeLessThan(1e-13);
    expect(table.of(0)).toBe(1);
  });

  it('is 0 for what is nothing', () => {
    for (const x of [-701, -1e30, -Infinity, NaN]) expect(table.of(x)).toBe(0);
  });

  it('sums blocks as it sums one by one', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => 5 * Math.sin(i)), sums = new Float64Array(4);
    const total = table.blockSums(values, 5, 0.8, 256, sums);
    expect(total).toBeCloseTo(values.reduce((sum, x) => sum + Math.exp((x - 5) / 0.8), 0), 9);
    expect(sums.reduce((a, b) => a + b)).toBeCloseTo(total, 9);
  });
});
