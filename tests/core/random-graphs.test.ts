// Random graphs through all passes: their programs give the graphs' values on the reference executor, where memory that
// nobody may count on reads as NaN, and no instruction reads memory that it is still writing, but where its rules say so.

import { describe, expect, it } from 'vitest';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { Random } from '../../src/base/random.ts';
import { DTYPE_BYTES, GraphBuilder, REFERENCE_TARGET, SPACES, compile, decodeProgram, differentiate, evaluateGraph, nodesOf, opOf, sizeOf, stateOf, type CompileOptions, type Graph, type NDArray, type Operand, type Program, type ProgramInstruction, type State, type Tensor } from '../../src/core/index.ts';

const N = 6;

/** Makes a graph of `steps` operators over tensors of N rows, their operands taken from what was made before. */
class RandomGraph {
  readonly #b = new GraphBuilder();
  readonly #random: Random;
  readonly #pool: Tensor[];
  readonly #writes: [State, Tensor][] = [];
  #states = 0;

  constructor(seed: number) {
    this.#random = new Random(seed, 'random graph');
    this.#pool = ['x', 'y'].map((name) => this.#b.input(name, { shape: [N, 4], dtype: 'f32' }));
  }

  make(steps: number): Graph {
    for (let i = 0; i < steps; i++) this.#b.within(`step${i}`, () => this.#pool.push(...this.#step(this.#pick(...this.#pool.slice(-6)))));
    const last = this.#pool.slice(-3), loss = last.map((t) => this.#b.sumTo(this.#b.reshape(this.#b.call('tanh', t), [sizeOf(t.shape)]), [1]));
    const outputs = { loss: loss.reduce((sum, t) => this.#b.call('add', sum, t)), last: last[0]!, ...(this.#chance() ? { early: this.#pool[3]! } : {}) };
    return this.#b.finish(outputs, this.#writes);
  }

  #pick<T>(...choices: readonly T[]): T {
    return choices[this.#random.int(choices.length)]!;
  }

  #chance(): boolean {
    return this.#random.int(2) === 0;
  }

  #state(role: State['role'], ...shape: number[]): State {
    return { id: `${role}${this.#states++}`, meta: { shape, dtype: 'f32' }, role, init: { kind: 'zeros' }, trainable: role === 'parameter' };
  }

  #like(t: Tensor): Tensor {
    const same = this.#pool.filter((other) => other.shape.join() === t.shape.join());
    return this.#pick(...same);
  }

  #step(t: Tensor): Tensor[] {
    const b = this.#b, c = t.shape[1] as number;
    switch (this.#random.int(12)) {
      case 0:
        return [b.call(this.#pick('tanh', 'sigmoid', 'neg', 'square', 'abs'), t)];
      case 1:
        return [b.call(this.#pick('add', 'mul', 'sub', 'max'), t, this.#like(t))];
      case 2:
        return [b.call('fma', t, b.state(this.#state('parameter', c)), this.#like(t))];
      case 3:
        return [b.one('linear', {}, [t, b.state(this.#state('parameter', this.#pick(2, 3, 4, 6), c)), null, null])];
      case 4:
        return c < 2 ? [t] : b.apply('split', { axis: 1, sizes: [1, c - 1] }, [t]);
      case 5:
        return [b.one('concat', { axis: 1 }, [b.call('neg', t), b.call('tanh', this.#pick(...this.#pool))])];
      case 6:
        return [b.one('concat', { axis: 1 }, [t, t])];
      case 7:
        return [b.one('permute', { perm: [1, 0] }, [b.one('permute', { perm: [1, 0] }, [t])])];
      case 8:
        return [b.one('rmsNorm', { eps: 1e-5 }, [t, b.state(this.#state('parameter', c))])];
      case 9:
        return [b.call('mul', t, b.one('reduce', { kind: this.#pick('sum', 'max'), axis: 1 }, [t]))];
      case 10:
        return c % 2 > 0 ? [b.call('add', t, 1)] : this.#halves(t);
      default:
        return this.#through(t);
    }
  }

  /** Parts of an inner axis: windows on windows, and a copy where there is none. */
  #halves(t: Tensor): Tensor[] {
    const b = this.#b, c = t.shape[1] as number;
    const [first, second] = b.apply('split', { axis: 1, sizes: [1, 1] }, [b.reshape(t, [N, 2, c / 2])]);
    return [b.reshape(second!, [N, c / 2]), b.reshape(b.call('add', first!, second!), [N, c / 2])];
  }

  /** By way of a state: written in place and read again, or written at the end. */
  #through(t: Tensor): Tensor[] {
    const b = this.#b, c = t.shape[1] as number, cache = this.#state('cache', N + 2, c);
    const ids = b.one('iota', { length: N, dtype: 'i32' }, []);
    if (this.#chance()) {
      this.#writes.push([this.#state('buffer', N, c), b.call('mul', t, this.#states + 1)]); // one value is written to one state
      return [b.call('add', t, b.one('gather', {}, [b.state(cache), ids]))];
    }
    const next = b.one('scatter', { mode: 'set' }, [b.state(cache), ids, b.call('neg', t)]);
    this.#writes.push([cache, next]);
    return [b.call('mul', t, b.one('gather', {}, [next, ids]))];
  }
}

/** Normal values for the inputs and states of a graph, as f32 holds them. */
function given(graph: Graph): { inputs: Record<string, NDArray>; states: Record<string, NDArray> } {
  const random = new Random(9, 'values');
  const normal = (shape: readonly number[]): NDArray => ({ shape, data: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal())) });
  const states = nodesOf(graph).flatMap((node) => stateOf(node) ?? []).concat(graph.writes.map(([state]) => state));
  return {
    inputs: Object.fromEntries(Object.entries(graph.inputs).map(([name, t]) => [name, normal(t.shape as number[])])),
    states: Object.fromEntries(states.map(({ id, meta }) => [id, normal(meta.shape as number[])])),
  };
}

/** Numbers for the bytes of all memories, two at a time: 2^40 for each memory. */
const memoryOf = ({ space, index }: Operand): number => (SPACES.indexOf(space) + SPACES.length * index) * 2 ** 40;

/** The bytes of an operand. */
function bytesOf(operand: Operand): Set<number> {
  const { dims, stride0, byteOffset, dtype } = operand, row = dims.slice(1).reduce((n, dim) => n * dim, 1), all = new Set<number>();
  for (let i = 0; i < (dims[0] ?? 1); i++) {
    for (let j = 0; j < row; j++) {
      const at = memoryOf(operand) + byteOffset + (i * stride0 + j) * DTYPE_BYTES[dtype];
      for (let byte = 0; byte < DTYPE_BYTES[dtype]; byte += 2) all.add(at + byte);
    }
  }
  return all;
}

function overlap(a: Set<number>, b: Set<number>): boolean {
  for (const byte of a) if (b.has(byte)) return true;
  return false;
}

const ARENA = memoryOf({ space: 'arena', index: 0 } as Operand);

/** Operands that lie in memory which the instruction writes, although no rule of its operator allows it. */
function hazards({ op, inputs, outputs, workspaceOffset, workspaceBytes }: ProgramInstruction): string[] {
  const { inPlace = [], reuse = [] } = opOf(op), written = outputs.map(bytesOf), found: string[] = [];
  const isScratch = (byte: number): boolean => byte >= ARENA + workspaceOffset && byte < ARENA + workspaceOffset + workspaceBytes;
  const read = inputs.map((operand) => (operand.space === 'none' ? new Set<number>() : bytesOf(operand)));
  written.forEach((bytes, k) => {
    if ([...bytes].some(isScratch)) found.push(`${op} writes result ${k} into its scratch`);
    written.slice(0, k).forEach((other, l) => overlap(bytes, other) && found.push(`${op} writes results ${l} and ${k} to one place`));
    read.forEach((other, i) => {
      if (!overlap(bytes, other)) return;
      const allowed = [...inPlace, ...reuse].some(([input, output]) => input === i && output === k);
      const whole = inputs[i]!.byteOffset === outputs[k]!.byteOffset && inputs[i]!.stride0 === outputs[k]!.stride0 && inputs[i]!.dtype === outputs[k]!.dtype;
      if (!allowed || !whole) found.push(`${op} writes result ${k} over operand ${i}`);
    });
  });
  if (read.some((bytes) => [...bytes].some(isScratch))) found.push(`${op} reads its scratch`);
  return found;
}

async function valuesOf(program: Program, { inputs, states }: ReturnType<typeof given>): Promise<{ outputs: Record<string, ArrayLike<number>>; state(id: string): ArrayLike<number> }> {
  const executor = new ReferenceExecutor(), handle = executor.load(program);
  for (const { id } of program.states) executor.state(id).set(states[id]?.data ?? []);
  const outputs = await executor.run(handle, Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, Float32Array.from(data)])));
  return { outputs, state: (id) => executor.state(id) };
}

/** Two roundings of f32 (of the result, and of the gradient that was stored) beside float64's own. */
function expectClose(found: ArrayLike<number>, exact: Float64Array, what: string): void {
  let scale = 1e-3;
  for (const value of exact) scale = Math.max(scale, Math.abs(value));
  exact.forEach((value, i) => {
    if (!(Math.abs(found[i]! - value) <= 2 ** -22 * scale)) expect.fail(`${what}[${i}] is ${found[i]} instead of ${value}`);
  });
}

describe('random graphs', () => {
  const OPTIONS: readonly Partial<CompileOptions>[] = [{}, { gradients: { loss: 'loss', accumulate: true } }, { hasKernel: (op) => op !== 'linear' && op !== 'rmsNorm' }];

  it.each(Array.from({ length: 8 }, (_, i) => [i]))('compile() keeps their values, batch %i', async (batch) => {
    for (let seed = 100 * batch; seed < 100 * batch + 20; seed++) {
      const graph = new RandomGraph(seed).make(4 + (seed % 11));
      for (const options of OPTIONS) {
        // No gradient flows through a cache that is written: only graphs without one are differentiated.
        if (options.gradients && graph.writes.some(([{ role }]) => role === 'cache')) continue;
        const whole = options.gradients ? differentiate(graph, options.gradients) : graph, values = given(whole);
        const program = compile(graph, { target: REFERENCE_TARGET, ...options }), what = `seed ${seed}`;
        for (const instruction of decodeProgram(program.bytes).instructions) expect(hazards(instruction), what).toEqual([]);
        const { outputs, state } = await valuesOf(program, values), exact = evaluateGraph(whole, values.inputs, values.states);
        for (const [name, { data }] of Object.entries(exact.outputs)) expectClose(outputs[name]!, data, `${what}, ${name}`);
        for (const [id, { data }] of Object.entries(exact.writes)) expectClose(state(id), data, `${what}, ${id}`);
      }
    }
  });
});
