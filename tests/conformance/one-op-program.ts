// A program of one operator: its operands as inputs, in one piece or as parts of wider tensors, run by an executor.

import type { Executor, TypedArray, Values } from '../../src/backends/executor.ts';
import { numbersOf, store } from '../../src/backends/reference/storage.ts';
import { ARRAYS } from '../../src/backends/run-arguments.ts';
import { compile } from '../../src/core/compile.ts';
import { GraphBuilder, isBlockFormat, opOf, type DType, type OpName, type State, type Target, type Tensor, type TypedArrayND } from '../../src/core/index.ts';
import { decodeProgram, type Program } from '../../src/core/program.ts';
import type { BlockWeight } from './samples.ts';

export interface OneOp {
  /** Tells its states from those of other programs of the executor. */
  readonly title: string;
  readonly op: OpName;
  readonly attrs: unknown;
  readonly x: readonly (TypedArrayND | null)[];
  /** Types of the outputs; what the rule infers where undefined. */
  readonly dtypes: readonly (DType | undefined)[];
  /** Operands become parts of wider rows, and the first output a part of a concatenation where it can. */
  readonly strided: boolean;
}

export interface Prepared {
  readonly program: Program;
  readonly inputs: Values;
  /** States that an operator takes over, and weights in block formats, with the values that they start from. */
  readonly states: ReadonlyMap<string, TypedArray>;
  readonly outputs: readonly string[];
}

/** Elements before and after a part. */
const PADDING = [3, 2] as const;

/** Values as an array of their dtype. */
export function stored(x: TypedArrayND | BlockWeight): TypedArray {
  const { dtype, data } = x;
  if (isBlockFormat(dtype)) return (x as BlockWeight).blocks;
  const array = new ARRAYS[dtype](data.length);
  store(dtype, data, array);
  return array;
}

/** The values that an array of that dtype can hold. */
export function rounded(x: TypedArrayND, dtype: DType): TypedArrayND {
  if (isBlockFormat(x.dtype)) return x;
  const array = stored({ ...x, dtype });
  return { shape: x.shape, dtype, data: numbersOf(dtype, array) };
}

/** Rows with noise before and after: [n, m, …] → [n, 3 + m + 2, …]. */
function widened(x: TypedArrayND): TypedArrayND {
  const [n = 0, m = 0, ...rest] = x.shape, inner = rest.reduce((p, dim) => p * dim, 1), width = PADDING[0] + m + PADDING[1];
  const data = new Float64Array(n * width * inner).fill(x.dtype === 'i32' ? 1 << 20 : NaN);
  for (let i = 0; i < n; i++) data.set(x.data.subarray(i * m * inner, (i + 1) * m * inner), (i * width + PADDING[0]) * inner);
  return { shape: [n, width, ...rest], dtype: x.dtype, data };
}

/** Compiles the program and lays out what it is given. */
export function prepare({ title, op, attrs, x, dtypes, strided: windows }: OneOp, target: Target): Prepared {
  const rules = opOf(op), metas = rules.infer(attrs, x), strided = windows && [...x, ...metas].every((array) => !array?.shape.includes(0)); // nothing has no window
  const b = new GraphBuilder(), inputs: Values = {}, states = new Map<string, TypedArray>();
  const taken = new Map<number, State>();
  const operands = x.map((array, i): Tensor | null => {
    if (array === null) return null;
    const name = `x${i}`, { shape, dtype } = array;
    if (isBlockFormat(dtype) || rules.inPlace?.some(([input]) => input === i)) {
      const id = `${title} ${name}`;
      states.set(id, stored(array));
      const state: State = { id, meta: { shape, dtype }, role: 'buffer', init: { kind: 'zeros' }, trainable: false };
      taken.set(i, state);
      return b.state(state);
    }
    const given = strided && shape.length > 1 ? widened(array) : array;
    inputs[name] = stored(given);
    const whole = b.input(name, given);
    return given === array ? whole : b.apply('split', { axis: 1, sizes: [PADDING[0], shape[1]!, PADDING[1]] }, [whole])[1]!;
  });
  const outs = b.apply(op, attrs as never, operands, dtypes);
  const outputs: Record<string, Tensor> = Object.fromEntries(outs.map((t, i) => [`y${i}`, t]));
  const [first] = outs;
  if (strided && rules.inPlace === undefined && rules.bytesOut === undefined && op !== 'concat' && first!.shape.length > 1) {
    const extra = b.input('extra', first!), beside = b.map({ inputs: 1, code: [{ fn: 'neg', args: [0] }], outs: [1] }, [extra], first!.dtype);
    inputs['extra'] = stored({ shape: first!.shape as number[], dtype: first!.dtype, data: new Float64Array(first!.shape.reduce<number>((n, dim) => n * (dim as number), 1)) });
    outputs['y0'] = b.one('concat', { axis: 1 }, [beside, first!]);
  }
  const writes = (rules.inPlace ?? []).map(([input, output]) => [taken.get(input)!, outs[output]!] as const);
  return { program: compile(b.finish(outputs, writes), { target }), inputs, states, outputs: Object.keys(outputs) };
}

/** Opcodes of a program's instructions, as names. */
export function instructionsOf(program: Program): OpName[] {
  return decodeProgram(program.bytes).instructions.map(({ op }) => op);
}

/** Runs it; outputs as they are stored. */
export async function execute(executor: Executor, prepared: Prepared): Promise<TypedArray[]> {
  const handle = executor.load(prepared.program);
  try {
    for (const [id, values] of prepared.states) executor.write(id, values);
    const found = await executor.run(handle, prepared.inputs);
    return prepared.outputs.map((name) => found[name]!);
  } finally {
    executor.unload(handle);
  }
}

/** Output 0 without what stood beside it. */
export function withoutNeighbour(array: TypedArray, shape: readonly number[]): TypedArray {
  const size = shape.reduce((n, dim) => n * dim, 1);
  if (array.length === size) return array;
  const row = shape.slice(1).reduce((n, dim) => n * dim, 1), part = array.slice(0, size);
  for (let i = 0; i < (shape[0] ?? 0); i++) part.set(array.subarray((2 * i + 1) * row, (2 * i + 2) * row), i * row);
  return part;
}
