// The scalar functions of the expression language: what each computes, and its derivative. Layer: core.
// One table serves the `map` operator, epilogues, the reference interpreter and autodiff; a backend has one case a row.

/** Names of the scalar functions; SCALAR_RULES says what each is. */
export type ScalarFn = 'const' | 'add' | 'sub' | 'mul' | 'div' | 'max' | 'min' | 'neg' | 'abs' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'tanh' | 'sigmoid' | 'erf' | 'floor' | 'lt' | 'le' | 'eq' | 'select' | 'fma' | 'square' | 'recip' | 'sin' | 'cos' | 'pow' | 'gelu' | 'geluSlope';

/** Values inside an expression, by number. */
export type Ref = number;

/** The calls that a derivative rule makes; `ExpressionBuilder` implements them. */
export interface ScalarCalls {
  constant(value: number): Ref;
  call(fn: ScalarFn, ...args: Ref[]): Ref;
}

interface ScalarRule {
  /** Code in the program format and in native/cpu/map.cc. */
  readonly code: number;
  readonly arity: 0 | 1 | 2 | 3;
  evaluate(a: number, b: number, c: number): number;
  /**
   * Partial derivatives times `d`, the gradient of the result `y`; null where it is zero almost everywhere.
   */
  derivative(e: ScalarCalls, args: Ref[], y: Ref, d: Ref): (Ref | null)[];
}

/** Abramowitz & Stegun 7.1.26 is too coarse for float64: a series near zero and a continued fraction further out. */
function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (z < 2.5) {
    let term = z, sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
      if (n > 200) break;
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  if (z > 6) return Math.sign(x);
  let fraction = 0; // erfc(z) = exp(-z²)/√π / (z + 1/2/(z + 1/(z + 3/2/(z + …)))), Lentz would do as well
  for (let k = 80; k > 0; k--) fraction = k / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

/** √(2/π) and the cube's factor. @see Hendrycks & Gimpel 2016, arXiv 1606.08415, section 2 */
const GELU_SCALE = Math.sqrt(2 / Math.PI), GELU_CUBE = 0.044715;

/** v = 2·√(2/π)·(a + 0.044715·a³), so that gelu(a) = a·sigmoid(v). */
const geluGate = (a: number): number => 2 * GELU_SCALE * (a + GELU_CUBE * a * a * a);

/** s + a·s·(1 − s)·v′ with s = sigmoid(v). */
function geluSlope(a: number): number {
  const s = 1 / (1 + Math.exp(-geluGate(a)));
  return s + a * s * (1 - s) * 2 * GELU_SCALE * (1 + 3 * GELU_CUBE * a * a);
}

/** The derivative of geluSlope: s′·(2·v′ + a·(v″ + v′²·(1 − 2s))) with s′ = s·(1 − s). */
function geluBend(e: ScalarCalls, [a]: Ref[], _y: Ref, d: Ref): Ref[] {
  const mul = (...refs: Ref[]): Ref => refs.reduce((x, y) => e.call('mul', x, y));
  const square = e.call('square', a!), one = e.constant(1), two = e.constant(2);
  const gate = mul(e.constant(2 * GELU_SCALE), a!, e.call('fma', square, e.constant(GELU_CUBE), one));
  const rise = mul(e.constant(2 * GELU_SCALE), e.call('fma', square, e.constant(3 * GELU_CUBE), one)); // v′
  const s = e.call('sigmoid', gate), curve = mul(e.constant(12 * GELU_SCALE * GELU_CUBE), a!); // v″
  const inner = e.call('add', curve, mul(e.call('square', rise), e.call('sub', one, mul(two, s))));
  return [mul(d, s, e.call('sub', one, s), e.call('fma', a!, inner, mul(two, rise)))];
}

const none = (): null[] => [null, null, null];

/** `code`s are part of the program format: append, never renumber. */
export const SCALAR_RULES: Readonly<Record<ScalarFn, ScalarRule>> = {
  const: { code: 0, arity: 0, evaluate: (a) => a, derivative: none },
  add: { code: 1, arity: 2, evaluate: (a, b) => a + b, derivative: (_e, _x, _y, d) => [d, d] },
  sub: { code: 2, arity: 2, evaluate: (a, b) => a - b, derivative: (e, _x, _y, d) => [d, e.call('neg', d)] },
  mul: {
    code: 3,
    arity: 2,
    evaluate: (a, b) => a * b,
    derivative: (e, [a, b], _y, d) => [e.call('mul', d, b!), e.call('mul', d, a!)],
  },
  div: {
    code: 4,
    arity: 2,
    evaluate: (a, b) => a / b,
    derivative(e, [, b], y, d) {
      const da = e.call('div', d, b!);
      return [da, e.call('neg', e.call('mul', da, y))];
    },
  },
  max: {
    code: 5,
    arity: 2,
    evaluate: (a, b) => (a > b || Number.isNaN(a) ? a : b),
    derivative(e, [a, b], _y, d) {
      const takesB = e.call('lt', a!, b!), nothing = e.constant(0);
      return [e.call('select', takesB, nothing, d), e.call('select', takesB, d, nothing)];
    },
  },
  min: {
    code: 6,
    arity: 2,
    evaluate: (a, b) => (a < b || Number.isNaN(a) ? a : b),
    derivative(e, [a, b], _y, d) {
      const takesB = e.call('lt', b!, a!), nothing = e.constant(0);
      return [e.call('select', takesB, nothing, d), e.call('select', takesB, d, nothing)];
    },
  },
  neg: { code: 7, arity: 1, evaluate: (a) => -a, derivative: (e, _x, _y, d) => [e.call('neg', d)] },
  abs: {
    code: 8,
    arity: 1,
    evaluate: Math.abs,
    derivative: (e, [a], _y, d) => [e.call('select', e.call('lt', a!, e.constant(0)), e.call('neg', d), d)],
  },
  exp: { code: 9, arity: 1, evaluate: Math.exp, derivative: (e, _x, y, d) => [e.call('mul', d, y)] },
  log: { code: 10, arity: 1, evaluate: Math.log, derivative: (e, [a], _y, d) => [e.call('div', d, a!)] },
  sqrt: {
    code: 11,
    arity: 1,
    evaluate: Math.sqrt,
    derivative: (e, _x, y, d) => [e.call('div', e.call('mul', e.constant(0.5), d), y)],
  },
  rsqrt: {
    code: 12,
    arity: 1,
    evaluate: (a) => 1 / Math.sqrt(a), // d/da a^(-1/2) = -1/2 y³
    derivative: (e, _x, y, d) => [
      e.call('mul', e.call('mul', e.constant(-0.5), d), e.call('mul', y, e.call('square', y))),
    ],
  },
  tanh: {
    code: 13,
    arity: 1,
    evaluate: Math.tanh,
    derivative: (e, _x, y, d) => [e.call('mul', d, e.call('sub', e.constant(1), e.call('square', y)))],
  },
  sigmoid: {
    code: 14,
    arity: 1,
    evaluate: (a) => 1 / (1 + Math.exp(-a)),
    derivative: (e, _x, y, d) => [e.call('mul', d, e.call('mul', y, e.call('sub', e.constant(1), y)))],
  },
  erf: {
    code: 15,
    arity: 1,
    evaluate: erf, // 2/√π · exp(-a²)
    derivative: (e, [a], _y, d) => [
      e.call('mul', d, e.call('mul', e.constant(2 / Math.sqrt(Math.PI)), e.call('exp', e.call('neg', e.call('square', a!))))),
    ],
  },
  floor: { code: 16, arity: 1, evaluate: Math.floor, derivative: none },
  lt: { code: 17, arity: 2, evaluate: (a, b) => (a < b ? 1 : 0), derivative: none },
  le: { code: 18, arity: 2, evaluate: (a, b) => (a <= b ? 1 : 0), derivative: none },
  eq: { code: 19, arity: 2, evaluate: (a, b) => (a === b ? 1 : 0), derivative: none },
  select: {
    code: 20,
    arity: 3,
    evaluate: (a, b, c) => (a !== 0 ? b : c),
    derivative(e, [a], _y, d) {
      const nothing = e.constant(0);
      return [null, e.call('select', a!, d, nothing), e.call('select', a!, nothing, d)];
    },
  },
  fma: {
    code: 21,
    arity: 3,
    evaluate: (a, b, c) => a * b + c,
    derivative: (e, [a, b], _y, d) => [e.call('mul', d, b!), e.call('mul', d, a!), d],
  },
  square: {
    code: 22,
    arity: 1,
    evaluate: (a) => a * a,
    derivative: (e, [a], _y, d) => [e.call('mul', e.call('mul', e.constant(2), d), a!)],
  },
  recip: {
    code: 23,
    arity: 1,
    evaluate: (a) => 1 / a,
    derivative: (e, _x, y, d) => [e.call('neg', e.call('mul', d, e.call('square', y)))],
  },
  sin: { code: 24, arity: 1, evaluate: Math.sin, derivative: (e, [a], _y, d) => [e.call('mul', d, e.call('cos', a!))] },
  cos: {
    code: 25,
    arity: 1,
    evaluate: Math.cos,
    derivative: (e, [a], _y, d) => [e.call('neg', e.call('mul', d, e.call('sin', a!)))],
  },
  pow: {
    code: 26,
    arity: 2,
    evaluate: Math.pow, // for a > 0
    derivative: (e, [a, b], y, d) => [
      e.call('mul', d, e.call('mul', b!, e.call('pow', a!, e.call('sub', b!, e.constant(1))))),
      e.call('mul', d, e.call('mul', y, e.call('log', a!))),
    ],
  },
  // Activations that cost more as a chain of simple functions than as one: GELU in its tanh form, with
  // ½·(1 + tanh u) = sigmoid(2u), and its derivative.
  gelu: { code: 27, arity: 1, evaluate: (a) => a / (1 + Math.exp(-geluGate(a))), derivative: (e, [a], _y, d) => [e.call('mul', d, e.call('geluSlope', a!))] },
  geluSlope: { code: 28, arity: 1, evaluate: geluSlope, derivative: geluBend },
};

/** The function with a code of the program format, or undefined. */
export function scalarFnOf(code: number): ScalarFn | undefined {
  return (Object.keys(SCALAR_RULES) as ScalarFn[]).find((fn) => SCALAR_RULES[fn].code === code);
}
