import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MergeTable } from '../../src/tokenizer/merge-table.ts';

/** The definition, step by step: merge the leftmost pair of lowest rank until none is left. */
function mergeSlowly(merges: number[][], word: number[]): number[] {
  const symbols = [...word];
  for (;;) {
    let best = -1, bestRank = Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = merges.findLastIndex(([left, right]) => left === symbols[i] && right === symbols[i + 1]);
      if (rank >= 0 && rank < bestRank) [best, bestRank] = [i, rank];
    }
    if (best < 0) return symbols;
    symbols.splice(best, 2, merges[bestRank]![2]!);
  }
}

/** Random merges over few symbols, so that they chain, overlap, repeat and come out of order. */
const anyMerges = fc.array(fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)), { maxLength: 30 });

test.each([[0, 12], [40, 60], [200, 300]])('merge() equals the definition on words of %i to %i symbols', (minLength, maxLength) => {
  fc.assert(fc.property(anyMerges, fc.array(fc.nat(4), { minLength, maxLength }), (merges, word) => {
    const symbols = Int32Array.from(word);
    const length = new MergeTable(Int32Array.from(merges.flat())).merge(symbols, 0, word.length);
    expect([...symbols.subarray(0, length)]).toEqual(mergeSlowly(merges, word));
  }), { numRuns: 500, seed: 7 });
});

test('merge() leaves out merges that give a blocked id', () => {
  const table = new MergeTable(Int32Array.of(0, 1, 5, 0, 0, 6), (id) => id === 5), symbols = Int32Array.of(0, 0, 1);
  expect([...symbols.subarray(0, table.merge(symbols, 0, 3))]).toEqual([6, 1]);
});

test('merge() is usable again after a giant word', () => {
  const table = new MergeTable(Int32Array.of(0, 0, 1, 1, 1, 2));
  for (const size of [100_000, 100, 3, 100_001]) {
    const symbols = new Int32Array(size), length = table.merge(symbols, 0, size);
    expect([...symbols.subarray(0, length)].reduce((sum, id) => sum + 2 ** id, 0)).toBe(size);
  }
});
