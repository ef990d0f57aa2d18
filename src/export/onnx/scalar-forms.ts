// The scalar functions as ONNX operators, elementwise and broadcast. Layer: export.

import type { Expression, ScalarFn } from '../../core/index.ts';
import { BOOL, FLOAT, type OnnxGraph, type Value } from './onnx-graph.ts';

type Form = (g: OnnxGraph, args: readonly Value[]) => Value;

const plain = (op: string): Form => (g, args) => g.one(op, args);
const compared = (op: string): Form => (g, args) => g.cast(g.one(op, args), FLOAT);

/** 2·√(2/π)·(a + 0.044715·a³), so that gelu(a) = a·sigmoid of it. @see core/scalar.ts */
const geluGate: Form = (g, [a]) => g.one('Mul', [g.float(2 * Math.sqrt(2 / Math.PI)), g.one('Mul', [a!, g.one('Add', [g.one('Mul', [g.one('Mul', [a!, a!]), g.float(0.044715)]), g.float(1)])])]);

const SCALAR_FORMS: Readonly<Record<Exclude<ScalarFn, 'const' | 'geluSlope'>, Form>> = {
  add: plain('Add'),
  sub: plain('Sub'),
  mul: plain('Mul'),
  div: plain('Div'),
  max: plain('Max'),
  min: plain('Min'),
  neg: plain('Neg'),
  abs: plain('Abs'),
  exp: plain('Exp'),
  log: plain('Log'),
  sqrt: plain('Sqrt'),
  rsqrt: (g, args) => g.one('Reciprocal', [g.one('Sqrt', args)]),
  tanh: plain('Tanh'),
  sigmoid: plain('Sigmoid'),
  erf: plain('Erf'),
  floor: plain('Floor'),
  lt: compared('Less'),
  le: compared('LessOrEqual'),
  eq: compared('Equal'),
  select: (g, [a, b, c]) => g.one('Where', [g.cast(a!, BOOL), b!, c!]),
  fma: (g, [a, b, c]) => g.one('Add', [g.one('Mul', [a!, b!]), c!]),
  square: (g, [a]) => g.one('Mul', [a!, a!]),
  recip: plain('Reciprocal'),
  sin: plain('Sin'),
  cos: plain('Cos'),
  pow: plain('Pow'),
  gelu: (g, [a]) => g.one('Mul', [a!, g.one('Sigmoid', [geluGate(g, [a!])])]),
};

/** Values of an expression's outputs. @throws {TypeError} for functions that only gradients have */
export function emitExpression(g: OnnxGraph, { code, outs }: Expression, inputs: readonly Value[]): Value[] {
  const values = [...inputs];
  for (const { fn, args, value } of code) {
    if (fn === 'geluSlope') throw new TypeError('geluSlope has no ONNX form: no inference graph has it.');
    values.push(fn === 'const' ? g.float(value!) : SCALAR_FORMS[fn](g, args.map((arg) => values[arg]!)));
  }
  return outs.map((out) => values[out]!);
}
