// Every kernel against its operator's definition in float64: all samples and random odd shapes, on each instruction set
// of this machine, in f32, bf16 and mixtures, whole and strided, and with the same bits for any number of threads.
// ATHANOR_CASES=200 tries more random shapes; a failure names the case, which its title alone makes again.

import { afterAll, describe, expect, it } from 'vitest';
import type { Executor, TypedArray } from '../../src/backends/executor.ts';
import { loadAddon } from '../../src/backends/native/addon.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import { numbersOf, storedOf, numberOf } from '../../src/backends/reference/storage.ts';
import { BackendError } from '../../src/base/errors.ts';
import { evaluateOp, isFloating, opOf, opTable, type DType, type OpName, type TypedArrayND } from '../../src/core/index.ts';
import { execute, instructionsOf, prepare, rounded, withoutNeighbour } from './one-op-program.ts';
import { Draw, GENERATORS } from './random-cases.ts';
import { cases, operands } from './samples.ts';
import { firstFault, tolerances } from './tolerance.ts';

const KERNELS = opTable().filter(({ kernel }) => kernel).map(({ name }) => name);
const RANDOM_CASES = Number(process.env['ATHANOR_CASES'] ?? 12);

/** Operands that are f32 whatever the others are: statistics, tables, what is summed up, and the optimizer's. */
const ALWAYS_F32: Partial<Record<OpName, readonly number[]>> = {
  rmsNormBackward: [2],
  layerNormBackward: [2, 3],
  rope: [2, 3],
  attentionBackward: [5],
  linearCrossEntropyGrad: [3, 4],
  adamw: [0, 1, 2, 3, 4, 6],
  globalNorm: [0, 1, 2, 3, 4],
  quantise: [0],
};

type Variant = 'f32' | 'bf16' | 'mixed';

interface Case {
  readonly title: string;
  readonly attrs: unknown;
  readonly x: readonly (TypedArrayND | null)[];
  readonly dtypes: readonly (DType | undefined)[];
  /** The definition's values, and how far off a kernel may be. */
  readonly exact: readonly TypedArrayND[];
  readonly allowed: readonly Float64Array[];
}

/** An application with its operands in the variant's types, and the exact results for the values that these can hold. */
function caseOf(op: OpName, title: string, attrs: unknown, x: readonly (TypedArrayND | null)[], variant: Variant): Case {
  const r = new Draw(7, `${title} ${variant}`), { castable = [], infer } = opOf(op);
  const lower = (): boolean => variant === 'bf16' || (variant === 'mixed' && r.chance());
  const typed = x.map((array, i) => (array && isFloating(array.dtype) && !ALWAYS_F32[op]?.includes(i) && lower() ? rounded(array, 'bf16') : array && rounded(array, array.dtype)));
  const metas = infer(attrs, typed);
  const dtypes = metas.map((meta, i) => (castable.includes(i) && isFloating(meta.dtype) && variant === 'mixed' ? r.pick('f32', 'bf16') : undefined));
  const exact = metas.every(({ shape }) => shape.includes(0)) ? metas.map((meta) => ({ ...meta, shape: meta.shape as number[], data: new Float64Array(0) })) : evaluateOp(op, attrs as never, typed);
  return { title, attrs, x: typed, dtypes, exact, allowed: exact.map((y, i) => tolerances(op, attrs, typed, y, i, dtypes[i] ?? metas[i]!.dtype)) };
}

const known = new Map<string, Case[]>();

/** Samples and random cases of an operator; computed once for all executors. */
function casesOf(op: OpName, variant: Variant): Case[] {
  const key = `${op} ${variant}`, before = known.get(key);
  if (before !== undefined) return before;
  const samples = cases().filter((c) => c.op === op).map((c) => caseOf(op, c.title, c.sample.attrs, operands(c), variant));
  const random = Array.from({ length: RANDOM_CASES }, (_, i) => {
    const title = `${op}: random ${i}`, { attrs, x } = GENERATORS[op]!(new Draw(i, op));
    return caseOf(op, title, attrs, x, variant);
  });
  const all = [...samples, ...random];
  known.set(key, all);
  return all;
}

/** Runs a case. @returns what is wrong with it, or its bits */
async function run(executor: Executor, op: OpName, c: Case, strided: boolean): Promise<{ fault: string | undefined; arrays: TypedArray[] }> {
  const prepared = prepare({ ...c, op, strided, title: `${c.title} ${c.dtypes.join()} ${c.x.map((array) => array?.dtype).join()} ${strided}` }, executor.target());
  const made = instructionsOf(prepared.program);
  if (op !== 'map' && !made.includes(op)) return { fault: `there is no "${op}" in ${made.join(', ')}`, arrays: [] }; // (an identity is no instruction)
  const arrays = await execute(executor, prepared), metas = Object.values(prepared.program.outputs);
  arrays[0] = withoutNeighbour(arrays[0]!, c.exact[0]!.shape);
  const faults = arrays.map((array, i) => firstFault(numbersOf(metas[i]!.dtype, array), c.exact[i]!.data, c.allowed[i]!));
  const worst = faults.findIndex((fault) => fault !== undefined);
  const shapes = c.x.map((array) => array && `${array.dtype}[${array.shape}]`).join(' ');
  return { arrays, fault: worst < 0 ? undefined : `${c.title}${strided ? ', strided' : ''}, ${shapes} → output ${worst} (${metas[worst]!.dtype}): ${faults[worst]}` };
}

const bytes = (array: TypedArray): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Every case on executors that differ in their number of threads: the first faults, at most five. */
async function faultsOf(executors: readonly Executor[], op: OpName, variant: Variant): Promise<string[]> {
  const faults: string[] = [];
  for (const c of casesOf(op, variant)) {
    for (const strided of [false, true]) {
      let first: TypedArray[] | undefined;
      for (const executor of executors) {
        const { fault, arrays } = await run(executor, op, c, strided);
        if (fault !== undefined) faults.push(`${executor.target().threads} threads: ${fault}`);
        first ??= arrays;
        if (first.some((array, i) => !bytes(array).equals(bytes(arrays[i]!)))) faults.push(`${executor.target().threads} threads give other bits: ${c.title}`);
      }
      if (faults.length >= 5) return faults;
    }
  }
  return faults;
}

/** Why the native core cannot be tested, if it cannot. */
function problem(): string | undefined {
  try {
    loadAddon();
    return undefined;
  } catch (error) {
    if (error instanceof BackendError) return error.message;
    throw error;
  }
}

const VARIANTS: readonly Variant[] = ['f32', 'bf16', 'mixed'];

describe('kernels', () => {
  it('there is a generator of random cases for each', () => {
    expect(KERNELS.filter((op) => GENERATORS[op] === undefined)).toEqual([]);
  });

  describe('reference', () => {
    // The definition itself, by way of compile(), bytes, and memory: one rounding off.
    it.each(KERNELS)('%s gives the rounded values of its definition', async (op) => {
      const executor = new ReferenceExecutor();
      for (const [number, c] of casesOf(op, 'mixed').entries()) {
        const strided = number % 2 === 1;
        const prepared = prepare({ ...c, op, strided, title: c.title }, executor.target());
        const metas = Object.values(prepared.program.outputs), arrays = await execute(executor, prepared);
        arrays[0] = withoutNeighbour(arrays[0]!, c.exact[0]!.shape);
        c.exact.forEach(({ data }, i) => {
          const { dtype } = metas[i]!;
          const fault = firstFault(numbersOf(dtype, arrays[i]!), data.map((v) => numberOf(dtype, storedOf(dtype, v))), new Float64Array(data.length));
          expect(fault, `${c.title}, output ${i}`).toBeUndefined();
        });
      }
    });
  });

  const missing = problem();
  const isas = missing === undefined ? loadAddon().machine().isas : ['native'];
  for (const isa of isas) {
    describe.skipIf(missing !== undefined)(missing === undefined ? isa : `${isa} (skipped: ${missing})`, () => {
      const executors = missing === undefined ? [1, 2, 4].map((threads) => NativeExecutor.open({ isa, threads })) : [];
      afterAll(async () => void await Promise.all(executors.map((executor) => executor.close())));
      for (const op of KERNELS) {
        it.each(VARIANTS)(`${op} agrees with its definition in %s, with the same bits for 1, 2 and 4 threads`, async (variant) => {
          const faults = await faultsOf(executors, op, variant);
          expect(faults.length, faults.join('\n')).toBe(0);
        });
      }
    });
  }
});
