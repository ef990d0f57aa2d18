// A run that is aborted changes all of its states or none, whenever the signal comes, and the executor works on. The
// native core at every instruction: tests/native/runtime/executor.cc.

import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Executor } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { InterruptedError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { add, at, program, state, step } from './native/programs.ts';

/** Fills of the arena, then a := a + x and b := b + x + x. The first of the two commits. */
function counter(fills: number, size: number) {
  const x = at({ space: 'input', dims: [3] }), a = at({ space: 'state', dims: [3] }), b = at({ space: 'state', index: 1, dims: [3] });
  const block = at({ dims: [size] }), twice = at({ byteOffset: 4 * size, dims: [3] });
  return program(
    {
      arenaBytes: 4 * size + 64,
      inputs: [x],
      states: [{ id: 'a', bytes: 12 }, { id: 'b', bytes: 12 }],
      outputs: [a],
      instructions: [
        add(x, x, twice),
        ...Array.from({ length: fills }, (_, i) => step('fill', [], [block], { attrs: [i] })),
        add(a, x, a, true),
        ...Array.from({ length: fills }, (_, i) => step('fill', [], [block], { attrs: [i] })),
        add(b, twice, b),
      ],
    },
    { inputs: ['x'], outputs: ['a'], states: [state('a', [3]), state('b', [3])] },
  );
}

const x = Float32Array.of(1, 2, 0.5), scaled = (n: number): Float32Array => x.map((v) => n * v);

function expectRuns(executor: Executor, n: number): void {
  expect(executor.state('a')).toEqual(scaled(n));
  expect(executor.state('b')).toEqual(scaled(2 * n));
}

describe('ReferenceExecutor.run() with a signal', () => {
  it('changes nothing when aborted before any instruction up to the commit, and is not stopped after it', async () => {
    const executor = new ReferenceExecutor(), fills = 5, handle = executor.load(counter(fills, 16));
    let looks = 0, completed = 0, interrupted = 0;
    for (let abortAt = 1; abortAt <= 20; abortAt++) {
      looks = 0;
      const signal = { reason: 'enough', get aborted() {
        return ++looks >= abortAt;
      } } as unknown as AbortSignal;
      const outcome = await executor.run(handle, { x }, { signal }).then(() => 'done', (error: unknown) => error);
      if (outcome === 'done') completed++;
      else {
        expect(outcome).toBeInstanceOf(InterruptedError);
        interrupted++;
      }
      expectRuns(executor, completed);
    }
    expect(interrupted).toBe(1 + fills + 2); // before the run, and before each instruction up to the one that commits
    await executor.run(handle, { x });
    expectRuns(executor, completed + 1);
    await executor.close();
  });
});

describe.each([1, 2])('NativeExecutor.run() with a signal, on %i threads', (threads) => {
  it('changes all states or none, at whatever moment it comes', async () => {
    const executor = NativeExecutor.open({ threads }), handle = executor.load(counter(12, 1 << 18)), random = new Random(threads, 'tests.abort');
    let completed = 0, interrupted = 0;
    await executor.run(handle, { x });
    const before = performance.now();
    await executor.run(handle, { x });
    const whole = performance.now() - before; // delays reach past the end of a run
    completed = 2;
    for (let i = 0; i < 60; i++) {
      const controller = new AbortController(), run = executor.run(handle, { x }, { signal: controller.signal });
      const settled = run.then(() => 'done', (error: unknown) => error);
      const delay = 1.5 * whole * random.uniform();
      if (delay >= 1) await wait(delay);
      else for (const end = performance.now() + delay; performance.now() < end;);
      controller.abort();
      const outcome = await settled;
      if (outcome === 'done') completed++;
      else {
        expect(outcome).toBeInstanceOf(InterruptedError);
        interrupted++;
      }
      expectRuns(executor, completed);
    }
    expect(interrupted).toBeGreaterThan(5);
    await executor.run(handle, { x });
    expectRuns(executor, completed + 1);
    await executor.close();
  });
});
