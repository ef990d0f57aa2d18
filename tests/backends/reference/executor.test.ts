import { describe, expect, it } from 'vitest';
import { ReferenceExecutor } from '../../../src/backends/reference/index.ts';
import { BackendError, CapacityError, ConfigError, FormatError, InterruptedError, ShapeError } from '../../../src/base/errors.ts';
import { Random } from '../../../src/base/random.ts';
import { compile } from '../../../src/core/compile.ts';
import { GraphBuilder, REFERENCE_TARGET, evaluateGraph, type Graph, type NDArray, type State } from '../../../src/core/index.ts';
import { decodeProgram, encodeProgram, type Program } from '../../../src/core/program.ts';

const target = REFERENCE_TARGET;

/** A parameter, a cache and a moment, for graphs with state. */
function stateOf(id: string, shape: readonly number[], role: State['role'] = 'parameter'): State {
  return { id, meta: { shape, dtype: 'f32' }, role, init: { kind: 'zeros' }, trainable: role === 'parameter' };
}

/** loss = Σ (tanh(x·wᵀ + b))² / n for at most eight tokens; the number of tokens is bounded where asked. */
function lossGraph(bounded: boolean): { graph: Graph; w: State; bias: State } {
  const b = new GraphBuilder(), w = stateOf('w', [5, 3]), bias = stateOf('bias', [5]);
  const n = bounded ? { dim: 'tokens', max: 8 } : 8;
  const x = b.input('x', { shape: [n, 3], dtype: 'f32' });
  const y = b.call('tanh', b.one('linear', {}, [x, b.state(w), b.state(bias), null]));
  const loss = b.sumTo(b.one('reduce', { kind: 'sum', axis: 1 }, [b.call('square', y)]), [1, 1]);
  return { graph: b.finish({ loss: b.reshape(loss, [1]), y }), w, bias };
}

const random = (size: number, seed: number): Float32Array => {
  const r = new Random(seed);
  return Float32Array.from({ length: size }, () => r.normal());
};
const nd = (shape: readonly number[], data: ArrayLike<number>): NDArray => ({ shape, data: Float64Array.from(data) });

/** Loads the loss, its states filled. */
function loaded(options: { bounded?: boolean; gradients?: boolean } = {}) {
  const { graph, w, bias } = lossGraph(options.bounded ?? false), executor = new ReferenceExecutor();
  const program = compile(graph, { target, ...(options.gradients ? { gradients: { loss: 'loss', accumulate: true } } : {}) });
  const handle = executor.load(program);
  executor.state('w').set(random(15, 1));
  executor.state('bias').set(random(5, 2));
  return { graph, w, bias, executor, program, handle };
}

describe('ReferenceExecutor', () => {
  it('run() gives what evaluateGraph() gives, rounded once', async () => {
    const { graph, executor, handle } = loaded(), x = random(24, 3);
    const found = await executor.run(handle, { x });
    const { outputs } = evaluateGraph(graph, { x: nd([8, 3], x) }, { w: nd([5, 3], random(15, 1)), bias: nd([5], random(5, 2)) });
    expect(found['y']).toEqual(Float32Array.from(outputs['y']!.data));
    expect(found['loss']).toEqual(Float32Array.from(outputs['loss']!.data));
  });

  it('run() takes any number of tokens up to the bound, none included', async () => {
    const { executor, handle } = loaded({ bounded: true }), x = random(24, 3);
    const whole = await executor.run(handle, { x });
    for (const tokens of [0, 1, 5, 8]) {
      const { y } = await executor.run(handle, { x: x.subarray(0, tokens * 3) }, { dims: { tokens } });
      expect(y).toEqual(whole['y']!.subarray(0, tokens * 5));
    }
  });

  it('run() accumulates gradients in states and keeps them in float64 between runs', async () => {
    const { executor, handle } = loaded({ gradients: true }), x = random(24, 3);
    await executor.run(handle, { x });
    const once = executor.state('grad:bias').slice();
    for (let i = 0; i < 9; i++) await executor.run(handle, { x });
    // Ten additions in float64, rounded once, are the tenfold to half a unit of f32 (and the half unit in `once`).
    executor.state('grad:bias').forEach((value, i) => expect(Math.abs(value - 10 * once[i]!)).toBeLessThan(10 * 2 ** -24 * Math.abs(10 * once[i]!)));
  });

  it('state() is the memory that programs read: what is written there counts', async () => {
    const { executor, handle } = loaded(), x = random(24, 3);
    const { loss: before } = await executor.run(handle, { x });
    executor.state('w').fill(0);
    executor.state('bias').fill(0);
    const { loss: after } = await executor.run(handle, { x });
    expect(before![0]).toBeGreaterThan(0);
    expect(after![0]).toBe(0);
  });

  it('load() shares states by id between programs and refuses another size', () => {
    const { executor } = loaded();
    const b = new GraphBuilder();
    const other = compile(b.finish({ y: b.call('neg', b.state(stateOf('w', [2, 2]))) }), { target });
    expect(() => executor.load(other)).toThrow(/state "w" has 16 bytes of f32, and here it has 60/);
  });

  it('run() stops before the first write when it is aborted, and completes once it writes', async () => {
    const { executor, handle } = loaded(), x = random(24, 3), abort = new AbortController();
    abort.abort(new Error('enough'));
    await expect(executor.run(handle, { x }, { signal: abort.signal })).rejects.toThrow(InterruptedError);
    const late = new AbortController(), running = executor.run(handle, { x }, { signal: late.signal });
    late.abort();
    await expect(running).rejects.toThrow(InterruptedError);
    const b = new GraphBuilder(), cache = stateOf('cache', [4], 'cache'); // its only instruction writes
    const write = executor.load(compile(b.finish({}, [[cache, b.call('add', b.state(cache), 1)]]), { target }));
    await executor.run(write, {});
    expect([...executor.state('cache')]).toEqual([1, 1, 1, 1]);
  });

  it('run() names what is missing, unknown or of the wrong type', async () => {
    const { executor, handle } = loaded({ bounded: true }), x = random(24, 3);
    await expect(executor.run(handle, {})).rejects.toThrow(new ConfigError('Cannot run the program: input "x" is missing.', { path: 'x' }));
    await expect(executor.run(handle, { x, extra: x })).rejects.toThrow(/no input "extra", only x/);
    await expect(executor.run(handle, { x: new Int32Array(24) })).rejects.toThrow(/input "x" is f32 and needs a Float32Array/);
    await expect(executor.run(handle, { x: x.subarray(1) })).rejects.toThrow(/needs 24 values, and 23 were given/);
    await expect(executor.run(handle, { x }, { dims: { tokens: 9 } })).rejects.toThrow(ShapeError);
    await expect(executor.run(handle, { x }, { dims: { rows: 1 } })).rejects.toThrow(/no dimension "rows", only tokens/);
    await expect(executor.run({ program: handle.program }, { x })).rejects.toThrow(/not loaded here/);
    expect(() => executor.state('v')).toThrow(/no state "v".*There are: w, bias/s);
  });

  it('run() copies its inputs at once and works on one run after another', async () => {
    const { executor, handle } = loaded(), x = random(24, 3), { loss } = await executor.run(handle, { x });
    const runs = Array.from({ length: 3 }, () => executor.run(handle, { x }));
    x.fill(0);
    for (const run of runs) expect((await run)['loss']).toEqual(loss);
  });

  it('run() reports the seconds of each instruction', async () => {
    const { executor, handle, program } = loaded(), x = random(24, 3);
    let seconds = new Float64Array(0);
    await executor.run(handle, { x }, { profile: (found) => {
      seconds = Float64Array.from(found);
    } });
    expect(seconds.length).toBe(decodeProgram(program.bytes).instructions.length);
    expect(seconds.every((s) => s >= 0)).toBe(true);
  });

  it('close() rejects what has not begun to write; views of states stay readable', async () => {
    const { executor, handle } = loaded(), w = executor.state('w'), running = executor.run(handle, { x: random(24, 3) });
    const closed = executor.close();
    await expect(running).rejects.toThrow(/closed before the run had written anything/);
    await closed;
    await executor.close();
    expect(w[0]).toBe(random(15, 1)[0]);
    expect(() => executor.load(lossProgram())).toThrow(BackendError);
    await expect(executor.run(handle, {})).rejects.toThrow(/this executor is closed/);
  });

  it('load() refuses operands outside their memory', () => {
    const program = lossProgram(), decoded = decodeProgram(program.bytes), [first, ...rest] = decoded.instructions;
    const moved = (byteOffset: number): Program => ({
      ...program,
      bytes: encodeProgram({ ...decoded, instructions: [{ ...first!, outputs: first!.outputs.map((o) => ({ ...o, byteOffset })) }, ...rest] }),
    });
    expect(() => new ReferenceExecutor().load(moved(decoded.arenaBytes))).toThrow(/result 0 of instruction 0 \(linear\) ends at byte/);
    expect(() => new ReferenceExecutor().load(moved(2))).toThrow(/no multiple of its 4-byte elements/);
  });

  it('load() answers damaged bytes with a FormatError, whatever is damaged', async () => {
    const program = lossProgram(), x = random(24, 3), r = new Random(5);
    for (let trial = 0; trial < 400; trial++) {
      const bytes = program.bytes.slice(0, trial % 3 === 0 ? r.int(program.bytes.length) : undefined);
      const at = r.int(bytes.length + 1);
      if (at < bytes.length) bytes[at] = r.int(256);
      if (asksForMuch(bytes)) continue; // an arena or a state may be large: no damage, but it takes its time
      const executor = new ReferenceExecutor();
      try {
        const handle = executor.load({ ...program, bytes });
        await executor.run(handle, { x });
      } catch (error) {
        expect([FormatError, ShapeError, CapacityError], String((error as Error).stack)).toContain((error as Error).constructor);
      }
    }
  });
});

function asksForMuch(bytes: Uint8Array): boolean {
  try {
    const { arenaBytes, states } = decodeProgram(bytes);
    return [arenaBytes, ...states.map((state) => state.bytes)].some((size) => size > 2 ** 24);
  } catch {
    return false;
  }
}

const lossProgram = (): Program => compile(lossGraph(false).graph, { target });
