import { describe, expect, it } from 'vitest';
import { formatTable, median, ratioOf, shortNumber, type BenchLine } from '../../bench/bench-line.ts';
import { formatResults, parseLines } from '../../bench/results.ts';

const LINE: BenchLine = { bench: 'train', case: 'gpt2-124m bf16', value: 300, unit: 'tokens/s', limit: 1000, peer: 'pytorch', peerValue: 200, ratio: 1.5 };

describe('ratioOf()', () => {
  it('is above 1 where we are better, whatever the unit', () => {
    expect(ratioOf('tokens/s', 300, 200)).toBe(1.5);
    expect(ratioOf('s', 2, 3)).toBe(1.5);
    expect(ratioOf('MB', 100, 250)).toBe(2.5);
  });

  it('is null without both numbers, and for a value that cannot be', () => {
    for (const [value, peer] of [[null, 1], [1, null], [0, 1], [1, 0], [NaN, 1], [1, NaN]] as const) expect(ratioOf('MB/s', value, peer)).toBeNull();
  });
});

describe('median()', () => {
  it('is the middle, or the mean of the two in the middle, and sorts numbers as numbers', () => {
    expect(median([10, 9, 100])).toBe(10);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('does not change its argument', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('shortNumber()', () => {
  it('has three digits and no exponent', () => {
    expect([19214.6, 173.6, 1.853, 0.01234, 0, null, NaN].map(shortNumber)).toEqual(['19215', '174', '1.85', '0.0123', '0', '–', '–']);
  });
});

describe('formatTable()', () => {
  it('shows a missing peer by name with dashes', () => {
    const [, , missing] = formatTable([LINE, { ...LINE, peer: 'llama.cpp', peerValue: null, ratio: null }]).split('\n');
    expect(missing).toMatch(/gpt2-124m bf16 +300 +tokens\/s +1000 +llama\.cpp +– +–$/);
  });
});

describe('formatResults()', () => {
  it('keeps the last line of a case and peer, and says machine, commit and command', () => {
    const text = formatResults([LINE, { ...LINE, value: 400, ratio: 2 }], { machine: 'a machine', commit: 'abc', date: '2026-01-02' });
    expect(text).toContain('Measured on a machine, at commit abc, 2026-01-02.');
    expect(text).toContain('`npm run bench -- train`');
    expect(text.match(/gpt2-124m bf16/g)).toHaveLength(1);
    expect(text).toContain('| gpt2-124m bf16 | 400 | tokens/s | 1000 | pytorch | 200 | 2.00 |');
  });
});

describe('parseLines()', () => {
  it('leaves out what npm prints', () => {
    expect(parseLines(`> athanor bench\n\n${JSON.stringify(LINE)}\n`)).toEqual([LINE]);
  });
});
