import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BatchStream, sequentialBatches, type Batch, type Sampling } from '../../src/data/batch-stream.ts';
import { ShardWriter } from '../../src/data/shard-writer.ts';
import { TokenShards } from '../../src/data/token-shards.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-batches-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Documents of the given lengths; token values count up, so that a token tells its position (1 …). */
function build(lengths: number[], options: { endOfText?: number; shardTokens?: number } = {}): TokenShards {
  const writer = new ShardWriter({ dir, vocabSize: 60_000, ...options });
  let value = 1;
  for (const length of lengths) writer.add(Array.from({ length }, () => value++));
  writer.close();
  return TokenShards.open(dir);
}

const copy = (batch: Batch): number[][] => [batch.tokens, batch.targets, batch.starts, batch.weights].map((a) => [...a]);

/** What a row must be, computed the slow way from the whole sequence. */
function expectedStarts(shards: TokenShards, position: number, contextLength: number, base: number): number[] {
  const begins = new Set(Array.from({ length: shards.documents }, (_, i) => shards.documentRange(i).position));
  let start = base;
  return Array.from({ length: contextLength }, (_, t) => (begins.has(position + t) ? (start = base + t) : start));
}

describe('BatchStream', () => {
  it('next() gives each window once an epoch, and another order the next', () => {
    const shards = build([30, 11, 60], { shardTokens: 17 });
    const stream = new BatchStream({ shards, batchSize: 5, contextLength: 10, seed: 3 });
    expect(stream.rowsPerEpoch).toBe(10);
    const firsts: number[] = [];
    for (let i = 0; i < 4; i++) {
      const { tokens } = stream.next();
      for (let row = 0; row < 5; row++) firsts.push(tokens[row * 10]!);
    }
    const epochs = [firsts.slice(0, 10), firsts.slice(10)];
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => 1 + 10 * i));
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(stream.epoch).toBe(2);
  });

  it('next() keeps documents apart: targets, starts and weights, with and without an end-of-text id', () => {
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      fc.integer({ min: 2, max: 50 }),
      (lengths, contextLength, batchSize, marked, shardTokens) => {
        const shards = build(lengths, { shardTokens, ...(marked ? { endOfText: 0 } : {}) });
        if (shards.length <= contextLength) return;
        const sequence = new Int32Array(shards.length);
        shards.read(sequence, 0, shards.length);
        const begins = new Set(Array.from({ length: shards.documents }, (_, i) => shards.documentRange(i).position));
        const stream = new BatchStream({ shards, batchSize, contextLength, seed: 1 });
        for (let step = 0; step < 3; step++) {
          const { tokens, targets, starts, weights } = stream.next();
          for (let row = 0; row < batchSize; row++) {
            const base = row * contextLength, ids = [...tokens.subarray(base, base + contextLength)];
            const position = windowOf(sequence, ids, contextLength, [...targets.subarray(base, base + contextLength)], marked);
            expect([...starts.subarray(base, base + contextLength)]).toEqual(expectedStarts(shards, position, contextLength, base));
            for (let t = 0; t < contextLength; t++) {
              const isLast = !marked && begins.has(position + t + 1);
              expect(weights[base + t]).toBe(isLast ? 0 : 1);
              expect(targets[base + t]).toBe(isLast ? 0 : sequence[position + t + 1]);
            }
          }
        }
      },
    ), { numRuns: 60, seed: 2 });
  });

  for (const sampling of ['windows', 'random'] as Sampling[]) {
    it(`cursor() resumes exactly after any number of batches, also at another batch size: ${sampling}`, () => {
      const shards = build([100, 37, 400], { shardTokens: 64 });
      fc.assert(fc.property(fc.nat({ max: 60 }), fc.nat(), fc.integer({ min: 1, max: 5 }), (skipped, seed, batchSize) => {
        const options = { shards, batchSize, contextLength: 16, seed, sampling };
        const straight = new BatchStream(options);
        for (let i = 0; i < skipped; i++) straight.next();
        const cursor = JSON.parse(JSON.stringify(straight.cursor())) as ReturnType<BatchStream['cursor']>;
        const resumed = new BatchStream({ ...options, cursor });
        const single = new BatchStream({ ...options, batchSize: 1, cursor });
        for (let i = 0; i < 3; i++) {
          const expected = copy(straight.next());
          expect(copy(resumed.next())).toEqual(expected);
          for (let row = 0; row < batchSize; row++) {
            expect([...single.next().tokens]).toEqual(expected[0]!.slice(row * 16, row * 16 + 16));
          }
        }
      }), { numRuns: 30, seed: 3 });
    });
  }

  it('next() in random sampling ignores documents and reaches both ends of the text', () => {
    const shards = build([3, 3, 3], {});
    const stream = new BatchStream({ shards, batchSize: 4, contextLength: 6, seed: 1, sampling: 'random' });
    const firsts = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const { tokens, targets, starts, weights } = stream.next();
      for (let row = 0; row < 4; row++) firsts.add(tokens[row * 6]!);
      expect([...weights].every((w) => w === 1)).toBe(true);
      expect([...targets]).toEqual([...tokens].map((t) => t + 1));
      expect([...starts]).toEqual(Array.from({ length: 24 }, (_, i) => Math.floor(i / 6) * 6));
    }
    expect([...firsts].sort()).toEqual([1, 2, 3]);
  });

  it('next() reuses its buffers', () => {
    const stream = new BatchStream({ shards: build([50]), batchSize: 2, contextLength: 8 });
    expect(stream.next().tokens).toBe(stream.next().tokens);
  });

  it('the constructor refuses text that is too short, bad sizes and a cursor of another stream', () => {
    const shards = build([16]);
    expect(() => new BatchStream({ shards, batchSize: 1, contextLength: 16 })).toThrow(/the text has 16, and a row needs one more/);
    expect(new BatchStream({ shards, batchSize: 3, contextLength: 15 }).next().tokens.length).toBe(45);
    expect(() => new BatchStream({ shards, batchSize: 0, contextLength: 4 })).toThrow(/batchSize is 0/);
    expect(() => new BatchStream({ shards, batchSize: 1, contextLength: 1.5 })).toThrow(/contextLength is 1.5/);
    const cursor = new BatchStream({ shards, batchSize: 1, contextLength: 4, seed: 1 }).cursor();
    expect(() => new BatchStream({ shards, batchSize: 1, contextLength: 4, seed: 2, cursor })).toThrow(/seed 1, and now seed is 2/);
    expect(() => new BatchStream({ shards, batchSize: 1, contextLength: 4, seed: 1, cursor: { ...cursor, rows: -1 } })).toThrow(/-1 rows/);
    expect(() => new BatchStream({ shards, batchSize: 1, contextLength: 4, seed: 1, cursor: { ...cursor, contentHash: 'x' } }))
      .toThrow(/contentHash/);
  });
});

describe('sequentialBatches()', () => {
  it('makes every token but the first the target of exactly one position, whatever the sizes', () => {
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 4 }),
      (lengths, contextLength, batchSize) => {
        const shards = build(lengths, { endOfText: 0 }), sequence = new Int32Array(shards.length), seen: number[] = [];
        shards.read(sequence, 0, shards.length);
        for (const { targets, weights } of sequentialBatches({ shards, batchSize, contextLength })) {
          for (let i = 0; i < targets.length; i++) if (weights[i] === 1) seen.push(targets[i]!);
        }
        expect(seen).toEqual([...sequence.subarray(1)]);
      },
    ), { numRuns: 50, seed: 4 });
  });

  it('pads the last batch with positions that see only themselves', () => {
    const [batch] = [...sequentialBatches({ shards: build([4]), batchSize: 2, contextLength: 3 })].map(copy);
    expect(batch).toEqual([[1, 2, 3, 0, 0, 0], [2, 3, 4, 0, 0, 0], [0, 0, 0, 3, 4, 5], [1, 1, 1, 0, 0, 0]]);
  });

  it('limit spreads the batches over the whole text', () => {
    const shards = build([1001]);
    const copies: number[] = [];
    for (const batch of sequentialBatches({ shards, batchSize: 1, contextLength: 10, limit: 4 })) copies.push(batch.tokens[0]!);
    expect(copies).toEqual([1, 251, 501, 751]);
  });

  it('gives nothing for a single token', () => {
    expect([...sequentialBatches({ shards: build([1]), batchSize: 2, contextLength: 3 })]).toEqual([]);
  });
});

/** The window that a row shows, found by its first token (or the one after, where that is the end-of-text id). */
function windowOf(sequence: Int32Array, ids: number[], contextLength: number, targets: number[], marked: boolean): number {
  for (let position = 0; position + contextLength < sequence.length; position += contextLength) {
    const same = ids.every((id, t) => id === sequence[position + t]);
    if (same && (!marked || targets.every((id, t) => id === sequence[position + t + 1]))) return position;
  }
  throw new Error('The row is no window of the sequence.');
}
