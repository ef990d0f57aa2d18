// write() and read() of both executors: what went in comes out, whatever order a backend keeps it in.

import { afterAll, describe, expect, it } from 'vitest';
import type { Executor, TypedArray } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { ARRAYS } from '../../src/backends/run-arguments.ts';
import { Random } from '../../src/base/random.ts';
import { compile } from '../../src/core/compile.ts';
import { BLOCKS, bytesOf, decodeBlocks, GraphBuilder, isBlockFormat, type BlockFormat, type DType, type State } from '../../src/core/index.ts';

const FORMATS = Object.keys(BLOCKS) as BlockFormat[];

/** Loads a program that has one state [m, k]; it gives out the state's values where they are in blocks. */
function load(executor: Executor, id: string, dtype: DType, m: number, k: number) {
  const b = new GraphBuilder(), state: State = { id, meta: { shape: [m, k], dtype }, role: 'parameter', init: { kind: 'zeros' }, trainable: false };
  const s = b.state(state), y = isBlockFormat(dtype) ? b.one('dequantise', {}, [s]) : b.call('neg', s);
  return executor.load(compile(b.finish({ y }), { target: executor.target() }));
}

/** Bytes that may stand for anything but half floats that are no numbers. */
function randomBytes(n: number, seed: number): Uint8Array {
  const random = new Random(seed, 'bytes');
  return Uint8Array.from({ length: n }, () => random.int(120));
}

/** −0 as 0: which of the two a product with zero gives is no part of a format. */
const unsigned = (values: TypedArray): TypedArray => values.map((v: number) => v + 0);

const executors: readonly (readonly [string, Executor])[] = [
  ['native', NativeExecutor.open({ threads: 2 })],
  ['portable', NativeExecutor.open({ threads: 1, isa: 'portable' })],
  ['reference', new ReferenceExecutor()],
];
afterAll(async () => void await Promise.all(executors.map(([, executor]) => executor.close())));

describe.each(executors)('%s', (_name, executor) => {
  it.each(FORMATS)('read() gives the bytes of %s that write() took, and programs see their values', async (format) => {
    const k = 2 * BLOCKS[format].values;
    for (const m of [1, 7, 8, 9, 35]) {
      const id = `${format} ${m}`, handle = load(executor, id, format, m, k), bytes = randomBytes(bytesOf({ shape: [m, k], dtype: format }), m);
      executor.write(id, bytes);
      expect(executor.read(id)).toEqual(bytes);
      const { y } = await executor.run(handle, {});
      expect(unsigned(y!)).toEqual(unsigned(decodeBlocks(format, bytes)));
      const copy = executor.read(id);
      copy.fill(0);
      expect(executor.read(id)).toEqual(bytes);
    }
  });

  it.each(['f32', 'bf16'] as const)('%s: write() is what state() shows, read() a copy of it', (dtype) => {
    load(executor, dtype, dtype, 2, 3);
    const values: TypedArray = new ARRAYS[dtype](6);
    values.set([1, 2, 3, 4, 5, 6]);
    executor.write(dtype, values);
    expect(executor.state(dtype)).toEqual(values);
    const copy = executor.read(dtype);
    copy.fill(0);
    expect(executor.read(dtype)).toEqual(values);
  });

  it('refuses values of another number or type, and states that are not there', () => {
    load(executor, 'refused', 'q4_0', 3, 32);
    expect(() => executor.write('refused', new Uint8Array(53))).toThrow(/state "refused": it is q4_0\[3, 32\] and takes a Uint8Array of 54; a Uint8Array of 53 was given/);
    expect(() => executor.write('refused', new Float32Array(54))).toThrow(/a Float32Array of 54 was given/);
    expect(() => executor.write('absent', new Uint8Array(1))).toThrow(/no state "absent"/);
    expect(() => executor.read('absent')).toThrow(/no state "absent"/);
  });

  it('refuses a program that sees a state of blocks in another format', () => {
    load(executor, 'shared', 'q4_k', 2, 256);
    expect(() => load(executor, 'shared', 'q4_0', 16, 32)).toThrow(/state "shared"/);
  });
});

it('the native core shows no memory of block formats', () => {
  const [[, executor]] = executors as [readonly [string, Executor]];
  load(executor, 'hidden', 'q8_0', 2, 32);
  expect(() => executor.state('hidden')).toThrow(/Use write\("hidden", …\) or read\("hidden"\)/);
});
