import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WordTable } from '../../src/tokenizer/word-table.ts';

/** A view of bytes with other bytes before and behind, at an odd place. */
function viewOf(bytes: Uint8Array, noise: number): DataView {
  const all = new Uint8Array(bytes.length + 8).fill(noise);
  all.set(bytes, 3);
  return new DataView(all.buffer);
}

test('indexOf() numbers words of every length as a Map does, whatever stands around them', () => {
  const word = fc.uint8Array({ maxLength: 13, max: 2 });
  fc.assert(fc.property(fc.array(fc.tuple(word, fc.nat(255)), { maxLength: 300 }), (words) => {
    const table = new WordTable(), map = new Map<string, number>();
    for (const [bytes, noise] of words) {
      const key = bytes.join();
      if (!map.has(key)) map.set(key, map.size);
      expect(table.indexOf(viewOf(bytes, noise), 3, bytes.length)).toBe(map.get(key));
    }
    expect(table.size).toBe(map.size);
    const { bytes, ends } = table.flatten();
    expect([...ends].map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end).join())).toEqual([...map.keys()]);
  }), { seed: 8 });
});

test('indexOf() keeps its numbers while the table grows, and clear() starts anew', () => {
  const table = new WordTable(), view = new DataView(new ArrayBuffer(8));
  const at = (i: number): number => {
    view.setUint32(0, i);
    return table.indexOf(view, 0, 4);
  };
  for (let round = 0; round < 2; round++) for (let i = 0; i < 50_000; i++) if (at(i) !== i) expect(at(i)).toBe(i);
  expect(table.size).toBe(50_000);
  table.clear();
  expect(at(7)).toBe(0);
});
