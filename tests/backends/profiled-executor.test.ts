import { describe, expect, it } from 'vitest';
import { profileOf } from '../../src/backends/profile.ts';
import { ProfiledExecutor } from '../../src/backends/profiled-executor.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { compile, expression, GraphBuilder, REFERENCE_TARGET, type Program, type State } from '../../src/core/index.ts';

// N ≤ 4 rows, K inputs, M outputs
const K = 8, M = 5, n = { dim: 'rows', max: 4 };
const weight: State = { id: 'w', meta: { shape: [M, K], dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: false };

function product(): Program {
  const b = new GraphBuilder(), y = b.one('linear', {}, [b.input('x', { shape: [n, K], dtype: 'f32' }), b.state(weight), null, null]);
  return compile(b.finish({ y: b.map(expression(1, (e, x) => e.call('exp', x!)), [y]) }), { target: REFERENCE_TARGET });
}

async function open() {
  const executor = new ProfiledExecutor(new ReferenceExecutor(), (_, { rows }) => (rows === 1 ? 'one' : 'many')), handle = executor.load(product());
  (executor.state('w') as Float32Array).fill(0.5);
  const run = (rows: number) => executor.run(handle, { x: new Float32Array(rows * K).fill(1) }, { dims: { rows } });
  return { executor, handle, run };
}

describe('ProfiledExecutor', () => {
  it('gives the values of the executor that it counts for', async () => {
    const { executor, run } = await open();
    const { y } = await run(2);
    expect([...y!].map((value) => Math.log(value))).toEqual(Array.from({ length: 2 * M }, () => expect.closeTo(K / 2, 5)));
    await executor.close();
  });

  it('counts runs, calls and work by phase at the sizes of each run', async () => {
    const { executor, run } = await open();
    await Promise.all([run(4), run(3)]);
    await run(1);
    const { phases } = profileOf(executor.phases, { f32Flops: 1e9, bf16Flops: 0, readBytes: 1e9 });
    expect(phases.map(({ phase, runs }) => [phase, runs])).toEqual([['many', 2], ['one', 1]]);
    for (const { phase, seconds, operators, dispatchSeconds, outsideSeconds } of phases) {
      const linear = operators.find(({ operator }) => operator === 'linear')!, rows = phase === 'one' ? 1 : 7, runs = phase === 'one' ? 1 : 2;
      expect(linear.calls).toBe(runs);
      expect(linear.gflopsPerSecond * linear.seconds * 1e9).toBeCloseTo(2 * rows * K * M, 6);
      expect(linear.gbPerSecond * linear.seconds * 1e9).toBeCloseTo(4 * (runs * K * M + rows * (K + M)), 6);
      // At 1 FLOP and 1 byte a nanosecond more bytes than FLOPs: memory is the bound here.
      expect(linear.limitShare! * linear.seconds * 1e9).toBeCloseTo(Math.max(linear.gflopsPerSecond, linear.gbPerSecond) * linear.seconds * 1e9, 6);
      expect(operators.reduce((sum, one) => sum + one.seconds, 0) + dispatchSeconds + outsideSeconds).toBeCloseTo(seconds, 9);
      expect([...operators].sort((a, b) => b.seconds - a.seconds)).toEqual(operators);
    }
    await executor.close();
  });

  it('gives time between runs to JavaScript, under the phase that went before', async () => {
    const { executor, run } = await open(), began = performance.now();
    await run(2);
    while (performance.now() - began < 30); // work of ours, not a wait
    await run(1);
    const { phases } = profileOf(executor.phases, null);
    expect(phases[0]!.outsideSeconds).toBeGreaterThan(0.005);
    expect(phases[1]!.outsideSeconds).toBe(0);
    expect(phases.flatMap(({ operators }) => operators).every(({ limitShare }) => limitShare === null)).toBe(true);
    await executor.close();
  });

  it('passes on what a caller wants of the profile, failures, and unloading', async () => {
    const { executor, handle, run } = await open();
    let seen = 0;
    await executor.run(handle, { x: new Float32Array(K) }, { dims: { rows: 1 }, profile: (seconds) => {
      seen = seconds.length;
    } });
    expect(seen).toBe(2);
    await expect(executor.run(handle, {}, { dims: { rows: 1 } })).rejects.toThrow('input "x" is missing');
    executor.unload(handle);
    await expect(run(1)).rejects.toThrow();
    expect(executor.phases.get('one')!.runs).toBe(1);
    await executor.close();
  });
});
