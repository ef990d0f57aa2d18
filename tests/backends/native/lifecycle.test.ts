import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { BackendError, InterruptedError } from '../../../src/base/errors.ts';
import { NativeExecutor } from '../../../src/backends/native/executor.ts';
import { accumulator, hasBegun, slow } from './programs.ts';

describe('NativeExecutor.run() with a signal', () => {
  it('stops before the first write and keeps the state', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const handle = executor.load(slow(800)), controller = new AbortController();
    const run = executor.run(handle, {}, { signal: controller.signal });
    await hasBegun(executor);
    controller.abort(new Error('enough'));
    const error = await run.then(() => undefined, (caught: unknown) => caught);
    expect(error).toBeInstanceOf(InterruptedError);
    expect((error as Error).cause).toEqual(new Error('enough'));
    expect(executor.state('done')).toEqual(new Float32Array(1));
    await executor.close();
  });

  it('completes when it has begun to write', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const handle = executor.load(slow(100, true)), controller = new AbortController();
    const run = executor.run(handle, {}, { signal: controller.signal });
    await hasBegun(executor);
    expect(executor.state('done')[0]).toBe(0);
    controller.abort();
    expect(await run).toEqual({ done: new Float32Array([1]) });
    await executor.close();
  });

  it('never begins with a signal that is aborted already', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const handle = executor.load(slow(1));
    await expect(executor.run(handle, {}, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(InterruptedError);
    expect(executor.state('done')).toEqual(new Float32Array(1));
    await executor.close();
  });

  it('removes a queued run and leaves the others', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const long = executor.load(slow(50)), short = executor.load(accumulator()), controller = new AbortController();
    const x = new Float32Array(12).fill(1), options = { dims: { n: 1 } };
    const first = executor.run(long, {});
    const second = executor.run(short, { x }, { ...options, signal: controller.signal });
    const third = executor.run(short, { x }, options);
    controller.abort();
    await expect(second).rejects.toBeInstanceOf(InterruptedError);
    await first;
    expect((await third)['s']).toEqual(new Float32Array([1, 1, 1]));
    await executor.close();
  });

  it('ignores an abort after the end', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const controller = new AbortController();
    await executor.run(executor.load(slow(1)), {}, { signal: controller.signal });
    controller.abort();
    expect(executor.state('done')).toEqual(new Float32Array([1]));
    await executor.close();
  });
});

describe('NativeExecutor with many runs', () => {
  it('runs them in the order in which they were asked for', async () => {
    const executor = NativeExecutor.open({ threads: 2 });
    const handle = executor.load(accumulator());
    const runs = Array.from({ length: 200 }, (_, i) => executor.run(handle, { x: new Float32Array([i, 0, 1]) }, { dims: { n: 1 } }));
    const results = await Promise.all(runs);
    results.forEach(({ y, s }, i) => {
      expect(y![0]).toBe(2 * i);
      expect([s![0], s![2]]).toEqual([(i * (i + 1)) / 2, i + 1]);
    });
    await executor.close();
  });

  it('keeps executors apart that run at the same time', async () => {
    const executors = [1, 2, 3].map((threads) => NativeExecutor.open({ threads }));
    const results = await Promise.all(executors.map(async (executor, k) => {
      const handle = executor.load(accumulator());
      for (let i = 0; i < 100; i++) await executor.run(handle, { x: new Float32Array([k, 1, 1]) }, { dims: { n: 1 } });
      return executor.state('s')[0];
    }));
    expect(results).toEqual([0, 100, 200]);
    await Promise.all(executors.map((executor) => executor.close()));
  });
});

describe('NativeExecutor.close()', () => {
  it('can be called twice and refuses what comes after', async () => {
    const executor = NativeExecutor.open({ threads: 2 });
    const handle = executor.load(accumulator()), s = executor.state('s');
    await executor.run(handle, { x: new Float32Array(12).fill(7) });
    const closing = executor.close();
    expect(executor.close()).toBe(closing);
    await closing;
    for (const use of [() => executor.load(accumulator()), () => executor.memory(), () => executor.unload(handle), () => executor.state('t')]) {
      expect(use).toThrow(BackendError);
    }
    await expect(executor.run(handle, {})).rejects.toThrow('Cannot run a program: this executor is closed.');
    await expect(executor.measurePeak()).rejects.toThrow(BackendError);
    expect(s).toEqual(new Float32Array([7, 7, 7])); // a view that was taken before stays
  });

  it('rejects runs that have written nothing, and waits for none of them', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const handle = executor.load(slow(800));
    const runs = [executor.run(handle, {}), executor.run(handle, {})].map((run) => run.then(() => 'done', (error: unknown) => error));
    await executor.close();
    for (const outcome of await Promise.all(runs)) expect(outcome).toBeInstanceOf(InterruptedError);
  });

  it('completes a run that has begun to write', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const run = executor.run(executor.load(slow(100, true)), {});
    await hasBegun(executor);
    await executor.close();
    expect(await run).toEqual({ done: new Float32Array([1]) });
  });
});

describe('the native core in a worker thread', () => {
  const script = (end: string): string => `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.addon);
    const { executor } = addon.open(2, '');
    const { program } = addon.load(executor, workerData.bytes);
    addon.start(executor, program, [], [], false);
    ${end}`;
  const addon = new URL('../../../build/athanor.node', import.meta.url).pathname;

  it('ends with it in the middle of a run', async () => {
    for (const end of ['parentPort.postMessage(1)', 'process.exit(0)', 'throw new Error("on purpose")']) {
      const worker = new Worker(script(end), { eval: true, workerData: { addon, bytes: slow(800, true).bytes } });
      worker.on('error', () => {});
      worker.on('message', () => void worker.terminate());
      await new Promise((next) => {
        worker.on('exit', next);
      });
    }
  });
});
