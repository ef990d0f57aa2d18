import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, FormatError, ShapeError } from '../../../src/base/errors.ts';
import { NativeExecutor } from '../../../src/backends/native/executor.ts';
import { accumulator, add, at, program, slow, state, step } from './programs.ts';

describe('NativeExecutor', () => {
  const executor = NativeExecutor.open();
  afterAll(() => executor.close());

  it('target() tells what the machine gives', () => {
    const { backend, isa, lanes, threads, l1Bytes, l2Bytes } = executor.target();
    expect(backend).toBe('native');
    expect(executor.machine().isas).toContain(isa);
    expect([4, 8, 16]).toContain(lanes);
    expect(threads).toBeGreaterThanOrEqual(1);
    expect(l2Bytes).toBeGreaterThan(l1Bytes);
  });

  it('run() computes outputs and updates state at every number of rows', async () => {
    const own = NativeExecutor.open({ threads: 2 });
    const handle = own.load(accumulator());
    const x = Float32Array.from({ length: 12 }, (_, i) => i + 1);
    for (let n = 0; n <= 4; n++) {
      const { y, s } = await own.run(handle, { x }, { dims: { n } });
      expect(y).toEqual(x.slice(0, 3 * n).map((value) => 2 * value));
      expect(s).toEqual(new Float32Array([n, 2 * n, 3 * n])); // with no rows, row 0 reads as zeros
    }
    expect(own.state('s')).toEqual(new Float32Array([4, 8, 12]));
    await own.close();
  });

  it('run() takes the largest dimension where none is given', async () => {
    const { y } = await executor.run(executor.load(accumulator()), { x: new Float32Array(12).fill(1) });
    expect(y).toHaveLength(12);
  });

  it('run() copies inputs at once', async () => {
    const handle = executor.load(accumulator()), x = new Float32Array(12).fill(1);
    const first = executor.run(handle, { x });
    x.fill(100);
    expect((await first)['y']).toEqual(new Float32Array(12).fill(2));
  });

  it('run() gathers an output whose rows are not contiguous', async () => {
    const wide = at({ dims: [2, 3] }), left = at({ dims: [2, 2], stride0: 3 });
    const handle = executor.load(program(
      { arenaBytes: 64, inputs: [at({ space: 'input', dims: [2, 3] })], outputs: [left], instructions: [add(at({ space: 'input', dims: [2, 3] }), at({ space: 'input', dims: [2, 3] }), wide)] },
      { inputs: ['x'], outputs: ['left'] },
    ));
    const { left: values } = await executor.run(handle, { x: new Float32Array([1, 2, 3, 4, 5, 6]) });
    expect(values).toEqual(new Float32Array([2, 4, 8, 10]));
  });

  it('run() gives each dtype its array', async () => {
    const ids = at({ dtype: 'i32', dims: [3] }), half = at({ dtype: 'bf16', byteOffset: 64, dims: [2] });
    const handle = executor.load(program(
      { arenaBytes: 128, outputs: [ids, half], instructions: [step('iota', [], [ids]), step('fill', [], [half], { attrs: [1] })] },
      { outputs: ['ids', 'half'] },
    ));
    expect(await executor.run(handle, {})).toEqual({ ids: new Int32Array([0, 1, 2]), half: new Uint16Array([0x3f80, 0x3f80]) });
  });

  it('run() of a program without instructions resolves', async () => {
    expect(await executor.run(executor.load(program({})), {})).toEqual({});
  });

  it('run() profiles each instruction', async () => {
    let seconds = new Float64Array(0);
    await executor.run(executor.load(slow(5)), {}, { profile: (times) => {
      seconds = times;
    } });
    expect(seconds).toHaveLength(7);
    expect(Math.min(...seconds)).toBeGreaterThan(0);
    expect(seconds[0]).toBeLessThan(10);
  });

  it('run() says which input or dimension is wrong', async () => {
    const handle = executor.load(accumulator()), x = new Float32Array(12);
    const refuse = (inputs: Record<string, Float32Array | Int32Array>, dims: Record<string, number>, kind: object, words: string): Promise<void> =>
      executor.run(handle, inputs, { dims }).then(() => expect.unreachable(), (error: Error) => {
        expect(error.message).toBe(`Cannot run the program: ${words}.`);
        expect(error).toBeInstanceOf(kind);
      });
    await refuse({}, {}, ConfigError, 'input "x" is missing');
    await refuse({ x, z: x }, {}, ConfigError, 'it has no input "z", only x');
    await refuse({ x: new Int32Array(12) }, {}, ShapeError, 'input "x" is f32 and needs a Float32Array');
    await refuse({ x: new Float32Array(11) }, {}, ShapeError, 'input 0 needs a typed array of 48 bytes for these dimensions, and has 44');
    await refuse({ x }, { m: 1 }, ConfigError, 'it has no dimension "m", only n');
    for (const n of [-1, 5, 1.5, Number.NaN]) {
      await refuse({ x }, { n }, ShapeError, `dimension "n" is ${n}, and may be an integer from 0 to 4`);
    }
    expect(await executor.run(handle, { x: new Float32Array(3) }, { dims: { n: 1 } })).toHaveProperty('y');
  });

  it('state() is the memory that programs read and write', async () => {
    const own = NativeExecutor.open({ threads: 1 });
    const handle = own.load(accumulator()), s = own.state('s');
    expect(s).toEqual(new Float32Array(3));
    s.set([10, 20, 30]);
    await own.run(handle, { x: new Float32Array([1, 2, 3]) }, { dims: { n: 1 } });
    expect(s).toEqual(new Float32Array([11, 22, 33]));
    expect(own.state('s')).toBe(s);
    expect(() => own.state('t')).toThrow(new ConfigError('There is no state "t": load a program that has it first. There are: s.'));
    await own.close();
  });

  it('load() shares states and one arena between programs', async () => {
    const own = NativeExecutor.open({ threads: 1 });
    const first = own.load(accumulator()), second = own.load(accumulator());
    own.load(slow(1));
    expect(own.memory()).toEqual({ arenaBytes: 16 << 20, stateBytes: 20 });
    const x = new Float32Array([1, 1, 1]);
    await own.run(first, { x }, { dims: { n: 1 } });
    expect((await own.run(second, { x }, { dims: { n: 1 } }))['s']).toEqual(new Float32Array([2, 2, 2]));
    await own.close();
  });

  it('load() refuses a state of another size', () => {
    const own = program({ states: [{ id: 's', bytes: 12 }] }, { states: [state('s', [3])] });
    const other = program({ states: [{ id: 's', bytes: 16 }] }, { states: [state('s', [4])] });
    executor.load(own);
    expect(() => executor.load(other)).toThrow('Cannot load the program: state "s" has 16 bytes here, but 12 bytes where it was first declared.');
  });

  it('load() refuses names that do not fit the bytes', () => {
    expect(() => executor.load({ ...accumulator(), inputs: {} })).toThrow(ConfigError);
    expect(() => executor.load({ ...accumulator(), bytes: new Uint8Array(5) })).toThrow(FormatError);
  });

  it('unload() ends a handle, not its state', async () => {
    const handle = executor.load(accumulator());
    const running = executor.run(handle, { x: new Float32Array(12) });
    executor.unload(handle);
    expect(await running).toHaveProperty('y');
    await expect(executor.run(handle, {})).rejects.toThrow('This program is not loaded here');
    expect(() => executor.unload(handle)).toThrow('This program is not loaded here');
    expect(executor.state('s')).toHaveLength(3);
  });

  it('measurePeak() measures in order with runs', async () => {
    const { f32Flops, bf16Flops, readBytes } = await executor.measurePeak();
    expect(f32Flops).toBeGreaterThan(1e8);
    expect(bf16Flops).toBeGreaterThanOrEqual(0);
    expect(readBytes).toBeGreaterThan(1e7);
  });

  it('open() forces an instruction set, or says which there are', async () => {
    for (const isa of executor.machine().isas) {
      const own = NativeExecutor.open({ isa, threads: 1 });
      expect(own.target().isa).toBe(isa);
      const { y } = await own.run(own.load(accumulator()), { x: new Float32Array(12).fill(3) });
      expect(y).toEqual(new Float32Array(12).fill(6));
      await own.close();
    }
    expect(() => NativeExecutor.open({ isa: 'sse9' })).toThrow(/the instruction set "sse9" is unknown; on this kind of processor there are .*portable/);
    expect(() => NativeExecutor.open({ threads: 0.5 })).toThrow(ConfigError);
    expect(() => NativeExecutor.open({ threads: 2000 })).toThrow(ConfigError);
  });
});
