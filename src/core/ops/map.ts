// map: an expression applied to every element, operands broadcast. All elementwise operators, casts and what `fuse`
// makes of chains of them are this one. Its gradient is the symbolic derivative of the expression.
import { broadcastStrides, forEachElement, ndarray } from '../ndarray.ts';
import type { OpAttrs } from '../op-attrs.ts';
import type { Op, Sample } from '../op.ts';
import { broadcastShape, refuse, required } from '../check.ts';
import { isFloating } from '../dtype.ts';
import { IDENTITY, allocateRegisters, callOf, differentiateExpression, evaluateExpression, expression, type Expression, type ScalarInstruction } from '../expression.ts';
import { SCALAR_RULES, scalarFnOf, type ScalarFn } from '../scalar.ts';
import { sizeOf } from '../shape.ts';

/** Limits of native/cpu/map.cc: tensors that it walks along, functions that it interprets. */
const MAX_STREAMS = 48, MAX_CODE = 160;

/** Decodes register code: registers hold values, so each write makes a new one. */
function decodeRegisters(numbers: readonly number[], inputs: number): Expression {
  const [, nCode = 0] = numbers;
  const valueIn = new Map<number, number>(Array.from({ length: inputs }, (_, i) => [i, i]));
  const code: ScalarInstruction[] = [];
  for (let i = 0; i < nCode; i++) {
    const [fnCode, dst, ...operands] = numbers.slice(2 + 5 * i, 7 + 5 * i);
    const fn = scalarFnOf(fnCode!)!, { arity } = SCALAR_RULES[fn];
    const args = operands.slice(0, arity).map((register) => valueIn.get(register)!);
    code.push(fn === 'const' ? { fn, args, value: operands[0]! } : { fn, args });
    valueIn.set(dst!, inputs + i);
  }
  return { inputs, code, outs: numbers.slice(2 + 5 * nCode).map((register) => valueIn.get(register)!) };
}

const positive = (_i: number, random: () => number): number => 0.25 + 2 * random();

/** Every scalar function on its own, so that walking the samples tests each on every backend. */
const functions = (Object.keys(SCALAR_RULES) as ScalarFn[]).filter((fn) => fn !== 'const').map((fn): Sample<OpAttrs['map']> => ({
  name: fn,
  attrs: { expression: callOf(fn), dtypes: ['f32'] },
  inputs: Array.from({ length: SCALAR_RULES[fn].arity }, () => ({
    shape: [3, 37],
    ...(['log', 'sqrt', 'rsqrt', 'pow', 'div', 'recip'].includes(fn) ? { fill: positive } : {}),
  })),
}));

export const map: Op<OpAttrs['map']> = {
  kind: 'primitive',
  attrs: {
    encode(a) {
      const { registers, code, outs } = allocateRegisters(a.expression);
      const instructions = code.flatMap(({ fn, dst, args, value }) => [SCALAR_RULES[fn].code, dst, value ?? args[0] ?? 0, args[1] ?? 0, args[2] ?? 0]);
      return [registers, code.length, ...instructions, ...outs];
    },
    decode: (numbers, x, y) => ({ expression: decodeRegisters(numbers, x.length), dtypes: y.map((meta) => meta.dtype), shape: y[0]!.shape }),
  },
  infer(a, x) {
    if (x.length !== a.expression.inputs) refuse('map', x, `its expression takes ${a.expression.inputs} operands`);
    x.forEach((_, i) => required('map', x, i));
    if (x.length + a.dtypes.length > MAX_STREAMS || a.expression.code.length > MAX_CODE) {
      refuse('map', x, `it would read and write ${x.length + a.dtypes.length} tensors by ${a.expression.code.length} functions; ${MAX_STREAMS} and ${MAX_CODE} are the most`);
    }
    const shape = broadcastShape('map', x, a.shape);
    return a.dtypes.map((dtype) => ({ shape, dtype }));
  },
  vjp(b, a, x, y, dy, wanted) {
    const inputs = x.flatMap((tensor, i) => (wanted[i] && isFloating(tensor!.dtype) ? [i] : []));
    const derivative = differentiateExpression(a.expression, dy.map((d) => d !== null), inputs);
    const given = dy.filter((d) => d !== null);
    const dtypes = inputs.map((i) => x[i]!.dtype);
    const full = b.apply('map', { expression: derivative, dtypes, shape: y[0]!.shape }, [...x, ...given]);
    const result: (ReturnType<typeof b.reshape> | null)[] = x.map(() => null);
    inputs.forEach((i, k) => {
      result[i] = b.sumTo(full[k]!, x[i]!.shape);
    });
    return result;
  },
  flops: (a, _x, y) => a.expression.code.filter(({ fn }) => fn !== 'const').length * sizeOf(y[0]!.shape),
  reuse: [[0, 0], [1, 0], [2, 0], [3, 0]],
  castable: [0, 1, 2, 3],
  reference(a, x, y) {
    const outs = y.map((meta) => ndarray(meta.shape as number[]));
    const shape = y[0]!.shape as number[];
    forEachElement(shape, x.map((array) => broadcastStrides(array!.shape, shape)), (flat, at) => {
      const values = evaluateExpression(a.expression, x.map((array, k) => array!.data[at[k]!]!));
      values.forEach((value, i) => {
        outs[i]!.data[flat] = y[i]!.dtype === 'i32' ? Math.trunc(value) : value;
      });
    });
    return outs;
  },
  samples: [
    ...functions,
    { name: 'row', attrs: { expression: callOf('add'), dtypes: ['f32'] }, inputs: [{ shape: [5, 19] }, { shape: [19] }] },
    { name: 'column', attrs: { expression: callOf('mul'), dtypes: ['f32'] }, inputs: [{ shape: [5, 19] }, { shape: [5, 1] }] },
    { name: 'scalar', attrs: { expression: callOf('mul'), dtypes: ['f32'] }, inputs: [{ shape: [1] }, { shape: [5, 19] }] },
    { name: 'middle', attrs: { expression: callOf('add'), dtypes: ['f32'] }, inputs: [{ shape: [4, 1, 6] }, { shape: [4, 3, 6] }] },
    { name: 'cast', attrs: { expression: IDENTITY, dtypes: ['bf16'] }, inputs: [{ shape: [3, 33] }] },
    { name: 'from i32', attrs: { expression: IDENTITY, dtypes: ['f32'] }, inputs: [{ shape: [40], dtype: 'i32', fill: (i) => i - 20 }] },
    {
      name: 'swiglu',
      inputs: [{ shape: [6, 64] }, { shape: [6, 64] }],
      attrs: { expression: expression(2, (e, g, u) => e.call('mul', e.call('mul', g!, e.call('sigmoid', g!)), u!)), dtypes: ['f32'] },
    },
  ],
};
