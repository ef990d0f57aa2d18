import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { findRepeats } from '../../../src/data/dedup/find-repeats.ts';
import { SortedPairs } from '../../../src/data/dedup/sorted-pairs.ts';
import { ids, PipelineFolder } from '../pipeline/pipeline-folder.ts';
import { jaccard, Shingler } from '../../../src/data/shingles.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('findRepeats()', () => {
  it('finds what a map finds, in one pass and in many', () => {
    const random = new Random(3), count = 20_000, words = new Uint32Array(4 * count);
    for (let i = 0; i < count; i++) {
      const value = random.int(12_000);
      words.set([value, Math.imul(value, 77) >>> 0, 5, value ^ 0x5555], 4 * i);
    }
    const first = new Map<number, number>(), expected: { record: number; first: number }[] = [];
    for (let i = 0; i < count; i++) {
      const value = words[4 * i]!, known = first.get(value);
      if (known === undefined) first.set(value, i);
      else expected.push({ record: i, first: known });
    }
    const read = function*(): Generator<Uint32Array> {
      for (let at = 0; at < words.length; at += 4000) yield words.subarray(at, at + 4000);
    };
    expect([...findRepeats(count, read, 2 ** 24)]).toEqual(expected);
    expect([...findRepeats(count, read, 2 ** 15)]).toEqual(expected);
  });
});

describe('SortedPairs', () => {
  it('gives each pair once, in order, from runs on disk too', () => {
    const dir = mkdtempSync(join(tmpdir(), 'athanor-pairs-')), random = new Random(5), pairs = new SortedPairs(dir, 8 * 4096), expected = new Set<number>();
    folders.push(dir);
    for (let i = 0; i < 40_000; i++) {
      const major = random.int(300), minor = random.int(100);
      pairs.add(major, minor);
      expected.add(major * 1000 + minor);
    }
    expect([...pairs.sorted()].map(([major, minor]) => major * 1000 + minor)).toEqual([...expected].sort((a, b) => a - b));
    const large = new SortedPairs(dir, 2 ** 20);
    large.add(0xffffffff, 0xfffffffe);
    large.add(1, 0xffffffff);
    expect([...large.sorted()]).toEqual([[1, 0xffffffff], [0xffffffff, 0xfffffffe]]);
  });
});

/** Words of a vocabulary, as natural text has them: often the same. */
function text(random: Random, words: number): string[] {
  return Array.from({ length: words }, () => `w${Math.floor(random.uniform() ** 2 * 5000)}`);
}

/** Replaces words far from each other until the Jaccard similarity of shingles is near `target`: each takes five shingles away. */
function relative(random: Random, original: readonly string[], target: number): string[] {
  const copy = [...original], wanted = Math.floor((original.length * (1 - target)) / (5 * (1 + target)));
  for (let i = 0; i < wanted; i++) copy[Math.floor(((i + 0.5) * copy.length) / wanted)] = `x${random.int(1e6)}`;
  return copy;
}

describe('near stage', () => {
  it('finds copies planted at J ≥ 0.8 among pairs at 0.5 … 0.75: recall and precision ≥ 98%', async () => {
    const folder = new PipelineFolder(), random = new Random(11), shingler = new Shingler(), copies = new Set<string>();
    folders.push(folder.dir);
    const entries: Record<string, string> = {};
    for (let i = 0; i < 600; i++) {
      const original = text(random, 150 + random.int(250)), isCopy = i % 2 === 0;
      entries[`source/${i}-a.txt`] = original.join(' ');
      const set = shingler.shingleSet(original.join(' ')).slice();
      for (;;) {
        const other = relative(random, original, isCopy ? 0.81 + 0.15 * random.uniform() : 0.5 + 0.25 * random.uniform()), j = jaccard(set, shingler.shingleSet(other.join(' ')));
        if (isCopy ? j < 0.8 : j < 0.5 || j > 0.75) continue;
        entries[`source/${i}-b.txt`] = other.join(' ');
        break;
      }
      if (isCopy) copies.add(`source/${i}-b.txt`);
    }
    folder.write(entries);
    const corpus = await folder.build(folder.spec({ stages: ['near'], memory: 2 ** 20 }));
    const kept = new Set(ids(corpus)), dropped = Object.keys(entries).filter((id) => !kept.has(id)), right = dropped.filter((id) => copies.has(id)).length;
    expect(right / copies.size).toBeGreaterThanOrEqual(0.98);
    expect(right / dropped.length).toBeGreaterThanOrEqual(0.98);
  });

  it.each(['fineweb', 'gopher', 'lee'])('preset %s drops a copy, and keeps strangers', async (preset) => {
    const folder = new PipelineFolder(), random = new Random(2), base = text(random, 900), changed = [...base];
    folders.push(folder.dir);
    if (preset === 'fineweb') changed[450] = 'other'; // 450 rows see all but equal texts only: 1 - (1 - 0.99^450)^20 is 0.2
    else changed.push('.');
    folder.write({ 'source/1.txt': base.join(' '), 'source/2.txt': changed.join(' '), 'source/3.txt': text(random, 900).join(' '), 'source/4.txt': '....' });
    expect(ids(await folder.build(folder.spec({ stages: [{ kind: 'near', preset }] })))).toEqual(['source/1.txt', 'source/3.txt', 'source/4.txt']);
  });
});
