// NaN, infinities, denormals and −0 in the operands of every kernel, on each instruction set: where the definition gives
// NaN or an infinity so must the kernel, and everything else must be as near as ever. So nothing that is not finite may
// leak into rows, tokens or documents that do not depend on it. Denormals are numbers: nothing flushes them to zero.

import { afterAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/backends/native/addon.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { numbersOf } from '../../src/backends/reference/storage.ts';
import { BackendError } from '../../src/base/errors.ts';
import { evaluateOp, isFloating, opTable, type OpName, type TypedArrayND } from '../../src/core/index.ts';
import { execute, prepare, rounded } from './one-op-program.ts';
import { Draw, GENERATORS } from './random-cases.ts';
import { tolerances } from './tolerance.ts';

const KERNELS = opTable().filter(({ kernel }) => kernel).map(({ name }) => name).filter((op) => GENERATORS[op] !== undefined && op !== 'quantise'); // blocks hold finite values only; the caller refuses others
const CASES = 8;

/** Most of a row is finite: what is special is one value in an operand. */
const SPECIALS = [NaN, Infinity, -Infinity, 2 ** -140, -(2 ** -149), -0] as const;

/** Operands that come out of other kernels, which keep them consistent: a special value in them alone means nothing. */
const DERIVED: Partial<Record<OpName, readonly number[]>> = {
  rmsNormBackward: [2],
  layerNormBackward: [2, 3],
  attentionBackward: [4, 5],
  adamw: [4, 6],
  pagedAttention: [2], // its definition takes NaN there for an absent row; tests/native/attention.cc has this case
};

interface Planted {
  readonly attrs: unknown;
  readonly x: readonly (TypedArrayND | null)[];
  readonly operand: number;
  readonly element: number;
  readonly what: string;
}

function planted(op: OpName, i: number, special: number): Planted | undefined {
  const { attrs, x } = GENERATORS[op]!(new Draw(i, op)), r = new Draw(i, `${op} special`);
  const typed = x.map((array) => array && rounded(array, array.dtype));
  const places = typed.flatMap((array, k) => (array && isFloating(array.dtype) && array.data.length > 0 && !DERIVED[op]?.includes(k) ? [k] : []));
  if (places.length === 0) return undefined;
  const k = r.pick(...places), array = typed[k]!, at = r.int(0, array.data.length - 1), data = array.data.slice();
  data[at] = special;
  return { attrs, x: typed.map((other, j) => (j === k ? { ...array, data } : other)), operand: k, element: at, what: `operand ${k}, element ${at} of [${array.shape}] = ${special}` };
}

/** Operators whose decomposition multiplies hidden values by 0, which is NaN for one that is not finite. */
const HIDING: readonly OpName[] = ['attention', 'attentionBackward', 'pagedAttention'];

/**
 * The definition's values; for a hiding operator without what leaks from hidden values: what no finite value changes must
 * be as it is with any. (With one key alone a softmax does not depend on its score, and NaN is right all the same:
 * `either` says so.) tests/native/attention.cc knows which token looks at which, and is strict.
 */
function exactValues(op: OpName, c: Planted): { y: TypedArrayND[]; either: (k: number, i: number) => boolean } {
  const exact = evaluateOp(op, c.attrs as never, c.x);
  if (!HIDING.includes(op)) return { y: exact, either: () => false };
  const [a, b] = [0.375, -1.125].map((value) =>
    evaluateOp(op, c.attrs as never, c.x.map((array, k) => {
      if (k !== c.operand) return array;
      const data = array!.data.slice();
      data[c.element] = value;
      return { ...array!, data };
    }))
  ) as [TypedArrayND[], TypedArrayND[]];
  const isApart = (k: number, i: number): boolean => a[k]!.data[i] === b[k]!.data[i];
  const isLinear = op === 'attention' && c.operand === 2;
  return {
    y: exact.map((y, k) => ({ ...y, data: y.data.map((v, i) => (isApart(k, i) ? a[k]!.data[i]! : v)) })),
    either: (k, i) => !isLinear && isApart(k, i) && Number.isNaN(exact[k]!.data[i]),
  };
}

/**
 * Kernels that give NaN for some infinities, because they add in another order (∞ − ∞), or scale a row to integers by its
 * largest value (block formats).
 */
const INFINITY_MAY_BE_NAN: readonly OpName[] = ['linear', 'groupedLinear', 'linearCrossEntropyGrad', 'attentionBackward'];

/** Above it, or below its inverse, a kernel in f32 may overflow or underflow where float64 does not. */
const RANGE = 2 ** 120;

/** What is wrong with an output. */
function fault(op: OpName, found: ArrayLike<number>, exact: Float64Array, allowed: Float64Array, either: (i: number) => boolean): string | undefined {
  for (let i = 0; i < exact.length; i++) {
    const want = exact[i]!, got = found[i]!;
    if (Object.is(got, want) || got === want || (Number.isNaN(want) && Number.isNaN(got))) continue;
    if (Number.isFinite(want) && Math.abs(want) < RANGE && Math.abs(got - want) <= allowed[i]!) continue;
    if (Math.abs(want) >= RANGE && Math.abs(got) >= RANGE && Math.sign(got) === Math.sign(want)) continue;
    if (Math.abs(want) === Infinity && Number.isNaN(got) && INFINITY_MAY_BE_NAN.includes(op)) continue;
    if (Number.isNaN(got) && either(i)) continue;
    return `element ${i} is ${got} instead of ${want}`;
  }
  return undefined;
}

function isas(): readonly string[] {
  try {
    return loadAddon().machine().isas;
  } catch (error) {
    if (error instanceof BackendError) return [];
    throw error;
  }
}

describe.skipIf(isas().length === 0).each(isas().length === 0 ? ['native (not built)'] : isas())('%s', (isa) => {
  const executor = isas().length === 0 ? undefined : NativeExecutor.open({ isa, threads: 2 });
  afterAll(() => executor?.close());

  it.each(KERNELS)('%s carries special values as IEEE 754 says', async (op) => {
    const faults: string[] = [];
    for (let i = 0; i < CASES; i++) {
      for (const special of SPECIALS) {
        const c = planted(op, i, special);
        if (c === undefined) continue;
        const { y: exact, either } = exactValues(op, c), title = `${op} special ${i} ${special}`;
        const prepared = prepare({ title, op, attrs: c.attrs, x: c.x, dtypes: [], strided: false }, executor!.target());
        const arrays = await execute(executor!, prepared), metas = Object.values(prepared.program.outputs);
        arrays.forEach((array, k) => {
          const found = numbersOf(metas[k]!.dtype, array), allowed = tolerances(op, c.attrs, c.x, exact[k]!, k, metas[k]!.dtype);
          const problem = exact[k]!.data.length === found.length ? fault(op, found, exact[k]!.data, allowed, (j) => either(k, j)) : `${found.length} elements`;
          if (problem !== undefined) faults.push(`${title}, ${c.what} → output ${k}: ${problem}`);
        });
      }
    }
    expect(faults.length, faults.slice(0, 6).join('\n')).toBe(0);
  });

  it('keeps denormals: 2⁻¹⁴⁹ · ½ · 4 and sums of them are exact', async () => {
    const b = 2 ** -149, tiny: TypedArrayND = { shape: [2, 8], dtype: 'f32', data: Float64Array.from({ length: 16 }, (_, i) => i * b) };
    const ones: TypedArrayND = { shape: [1, 8], dtype: 'f32', data: new Float64Array(8).fill(2) };
    const run = async (op: OpName, attrs: unknown, x: TypedArrayND[]) => Array.from((await execute(executor!, prepare({ title: `denormal ${op}`, op, attrs, x, dtypes: [], strided: false }, executor!.target())))[0]!);
    expect(await run('reduce', { kind: 'sum', axis: 1 }, [tiny])).toEqual([28 * b, 92 * b]);
    expect(await run('matmul', { transA: false, transB: true }, [tiny, ones])).toEqual([56 * b, 184 * b]);
  });
});
