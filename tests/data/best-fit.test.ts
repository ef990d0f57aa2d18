import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { BatchStream } from '../../src/data/batch-stream.ts';
import { packBestFit } from '../../src/data/mix/best-fit.ts';
import { ShardWriter } from '../../src/data/shard-writer.ts';
import { TokenShards } from '../../src/data/token-shards.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function shardsOf(lengths: readonly number[], endOfText?: number): { shards: TokenShards; documents: number[][] } {
  const dir = mkdtempSync(join(tmpdir(), 'athanor-pack-')), random = new Random(4), documents = lengths.map((length) => Array.from({ length }, () => 1 + random.int(90)));
  folders.push(dir);
  const writer = new ShardWriter({ dir, vocabSize: 100, shardTokens: 333, ...(endOfText === undefined ? {} : { endOfText }) });
  for (const ids of documents) writer.add(ids);
  writer.close();
  return { shards: TokenShards.open(dir), documents };
}

describe('packBestFit()', () => {
  it('places every token once, cuts only what is longer than a row, and wastes little', () => {
    const random = new Random(9), starts = [0];
    for (let i = 0; i < 3000; i++) starts.push(starts.at(-1)! + 1 + random.int(i % 10 === 0 ? 700 : 120));
    const end = starts.pop()!, { rows, positions, lengths } = packBestFit(starts, end, 256), seen = new Uint8Array(end);
    for (let row = 0; row + 1 < rows.length; row++) {
      let used = 0;
      for (let piece = rows[row]!; piece < rows[row + 1]!; piece++) {
        used += lengths[piece]!;
        for (let i = 0; i < lengths[piece]!; i++) seen[positions[piece]! + i]!++;
      }
      expect(used).toBeLessThanOrEqual(256);
      expect(used).toBeGreaterThan(0);
    }
    expect(seen.every((count) => count === 1)).toBe(true);
    expect(end / ((rows.length - 1) * 256)).toBeGreaterThan(0.98);
    const cuts = [...positions].filter((position) => !starts.includes(position)).length, needed = starts.reduce((sum, start, i) => sum + Math.ceil(((starts[i + 1] ?? end) - start) / 256) - 1, 0);
    expect(cuts).toBe(needed);
  });
});

describe('BatchStream packed', () => {
  it.each([0, undefined])('gives every document with its targets once an epoch, apart from others (end of text %s)', (endOfText) => {
    const { shards, documents } = shardsOf([5, 40, 17, 1, 33, 64, 200, 12, 31], endOfText);
    const stream = new BatchStream({ shards, batchSize: 1, contextLength: 64, seed: 3, sampling: 'packed' }), pairs: string[] = [];
    for (let row = 0; row < stream.rowsPerEpoch; row++) {
      const { tokens, targets, starts, weights } = stream.next();
      for (let t = 0; t < 64; t++) {
        expect(starts[t]!).toBeLessThanOrEqual(t);
        if (weights[t] === 1) pairs.push(`${tokens[t]}>${targets[t]}`);
        else if (t + 1 < 64 && starts[t + 1] !== t + 1) expect.fail('a position without a target inside a document');
      }
    }
    const expected = documents.flatMap((ids) => {
      const whole = endOfText === undefined ? ids : [endOfText, ...ids, endOfText];
      return whole.slice(1).map((id, i) => `${whole[i]}>${id}`);
    });
    expect(pairs.sort()).toEqual(expected.sort());
    expect(stream.epoch).toBe(1);
  });

  it('resumes exactly by its cursor', () => {
    const { shards } = shardsOf(Array.from({ length: 60 }, (_, i) => 3 + ((i * 37) % 90)), 0), options = { shards, batchSize: 3, contextLength: 50, seed: 8, sampling: 'packed' as const };
    const whole = new BatchStream(options), begun = new BatchStream(options);
    for (let i = 0; i < 7; i++) {
      whole.next();
      begun.next();
    }
    const resumed = new BatchStream({ ...options, cursor: JSON.parse(JSON.stringify(begun.cursor())) as ReturnType<typeof begun.cursor> });
    for (let i = 0; i < 12; i++) expect([...resumed.next().tokens]).toEqual([...whole.next().tokens]);
  });
});
