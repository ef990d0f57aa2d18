// Blocks made by an executor are the blocks that `encodeBlocks` makes, whatever the values.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/backends/native/addon.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { BackendError, NumericsError, ShapeError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { BLOCKS, encodeBlocks, QUANTISED } from '../../src/core/index.ts';
import { BlockEncoder } from '../../src/models/block-encoder.ts';

function isas(): string[] {
  try {
    return loadAddon().machine().isas;
  } catch (error) {
    if (error instanceof BackendError) return [];
    throw error;
  }
}

/** Blocks of every kind: normal, flat, one-sided, with an outlier, tiny, of ties, of few levels, and almost too large. */
function hardValues(n: number): Float32Array {
  const random = new Random(5, 'hard blocks'), values = new Float32Array(n), normal = (): number => random.normal();
  const kinds: ((i: number) => number)[] = [
    normal,
    () => 0.25,
    () => Math.abs(normal()) + 3,
    (i) => (i % 97 === 5 ? 1000 : 1) * normal(),
    () => 1e-9 * normal(),
    (i) => ((i * 7) % 31 - 15) / 2,
    () => random.int(3) - 1,
    (i) => (i % 32 < 16 ? 0 : -(normal() ** 2)),
    () => 1e5 * normal(),
    () => -0,
  ];
  for (let i = 0; i < n; i++) values[i] = kinds[Math.floor(i / 256) % kinds.length]!(i);
  return values;
}

const N = 256 * 1003; // no multiple of a batch

describe.each([...(isas().length === 0 ? ['native (not built)'] : isas()), 'reference'])('BlockEncoder on %s', (name) => {
  const skipped = name.includes('not built');
  let executor: NativeExecutor | ReferenceExecutor, encoder: BlockEncoder;
  beforeAll(() => {
    if (skipped) return;
    executor = name === 'reference' ? new ReferenceExecutor() : NativeExecutor.open({ isa: name, threads: 2 });
    encoder = new BlockEncoder(executor);
  });
  afterAll(() => executor?.close());

  it.skipIf(skipped).each(QUANTISED)('%s is bit for bit what encodeBlocks makes', async (format) => {
    const values = name === 'reference' ? hardValues(256 * 11) : hardValues(N), expected = encodeBlocks(format, values);
    const found = await encoder.encode(format, values);
    const bad = found.findIndex((byte, i) => byte !== expected[i]);
    expect(bad < 0 ? 'equal' : `byte ${bad % BLOCKS[format].bytes} of block ${Math.floor(bad / BLOCKS[format].bytes)}: ${found[bad]} for ${expected[bad]}`).toBe('equal');
  });

  it.skipIf(skipped)('refuses values that are not whole blocks', async () => {
    await expect(encoder.encode('q8_0', new Float32Array(33))).rejects.toThrow(ShapeError);
  });

  it.skipIf(skipped)('refuses what no block can hold, naming the block', async () => {
    await expect(encoder.encode('q4_0', new Float32Array(64).fill(NaN, 40, 41))).rejects.toThrow(/block 1 .*NaN/);
    await expect(encoder.encode('q8_0', new Float32Array(96).fill(2e7, 70, 71))).rejects.toThrow(NumericsError);
  });
});
