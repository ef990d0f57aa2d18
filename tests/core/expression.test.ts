import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressionBuilder, IDENTITY, REGISTRY, SCALAR_RULES, allocateRegisters, callOf, differentiateExpression, evaluateExpression, expression, showExpression, type Expression, type ScalarFn } from '../../src/core/index.ts';

const FUNCTIONS = (Object.keys(SCALAR_RULES) as ScalarFn[]).filter((fn) => fn !== 'const');

/** A call of a random expression: a function and the values that it takes, counted back from the last one. */
interface Call {
  readonly fn: ScalarFn | number;
  readonly back: readonly number[];
}

const INPUTS = 3;

/** Calls of `functions` and constants (a number is one). */
function calls(functions: readonly ScalarFn[], constants: readonly number[], maxLength = 12): fc.Arbitrary<Call[]> {
  return fc.array(fc.record({
    fn: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...functions) }, { weight: 1, arbitrary: fc.constantFrom(...constants) }),
    back: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5)),
  }), { minLength: 1, maxLength });
}

/** The value numbers that call i takes. */
const argsOf = ({ back }: Call, arity: number, i: number): number[] => back.slice(0, arity).map((k) => (k + i) % (INPUTS + i));

/** The calls as they stand, without any simplification. */
function plainly(list: readonly Call[]): Expression {
  const code = list.map((call, i) => (typeof call.fn === 'number'
    ? { fn: 'const' as const, args: [], value: call.fn }
    : { fn: call.fn, args: argsOf(call, SCALAR_RULES[call.fn].arity, i) })
  );
  const last = INPUTS + list.length - 1;
  return { inputs: INPUTS, code, outs: [last, Math.max(0, last - 2)] };
}

/** The same calls through the builder. */
function built(list: readonly Call[]): Expression {
  const e = new ExpressionBuilder(INPUTS), plain = plainly(list);
  return e.finish(e.inline(plain, [0, 1, 2]));
}

/** Equal numbers; the sign of a zero apart, which x + 0 → x does not keep. */
const same = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

const numbers = fc.tuple(...Array.from({ length: INPUTS }, () =>
  fc.oneof(
    fc.double({ min: -10, max: 10 }),
    fc.constantFrom(0, 1, -1, Infinity, -Infinity, Number.NaN, 1e308, 5e-324),
  )));

/** Functions that tell −0 from 0. */
const SIGNED = ['recip', 'div', 'rsqrt', 'pow'];

describe('ExpressionBuilder', () => {
  it('simplifies without changing a value, NaN and infinities among them', () => {
    const constants = [0, 1, -1, 2, 0.5, Infinity, -Infinity, Number.NaN];
    fc.assert(fc.property(calls(FUNCTIONS.filter((fn) => !SIGNED.includes(fn)), constants), numbers, (list, x) => {
      const exact = evaluateExpression(plainly(list), x), found = evaluateExpression(built(list), x);
      expect(found.every((value, i) => same(value, exact[i]!)), `${showExpression(built(list))} at ${x}: ${found} is not ${exact}`).toBe(true);
    }), { numRuns: 3000, seed: 1 });
  });

  it('simplifies without changing a value where a zero has no sign', () => {
    const nonzero = fc.tuple(...Array.from({ length: INPUTS }, () => fc.double({ min: 0.25, max: 4, noNaN: true })));
    fc.assert(fc.property(calls([...SIGNED, 'mul', 'exp', 'sigmoid', 'fma', 'abs'] as ScalarFn[], [1, 2, 0.5]), nonzero, (list, x) => {
      const exact = evaluateExpression(plainly(list), x), found = evaluateExpression(built(list), x);
      expect(found.every((value, i) => same(value, exact[i]!))).toBe(true);
    }), { numRuns: 1000, seed: 2 });
  });

  it('never makes an expression longer, and keeps only what the outputs need', () => {
    fc.assert(fc.property(calls(FUNCTIONS, [0, 1, -1, 2]), (list) => {
      const { inputs, code, outs } = built(list), needed = new Set(outs);
      for (let i = code.length - 1; i >= 0; i--) {
        expect(needed.has(inputs + i)).toBe(true);
        for (const arg of code[i]!.args) {
          expect(arg).toBeLessThan(inputs + i);
          needed.add(arg);
        }
      }
      expect(code.length).toBeLessThanOrEqual(list.length + 1); // −1·x may leave neg beside a constant that is needed elsewhere
    }), { numRuns: 1000, seed: 3 });
  });

  it('makes equal subexpressions one value and folds constants', () => {
    const twice = expression(2, (e, a, b) => e.call('add', e.call('mul', a!, b!), e.call('mul', a!, b!)));
    expect(twice.code.map(({ fn }) => fn)).toEqual(['mul', 'add']);
    const folded = expression(1, (e, a) => e.call('mul', a!, e.call('exp', e.call('sub', e.constant(3), e.constant(3)))));
    expect(folded).toEqual(IDENTITY);
    const square = expression(1, (e, a) => e.call('mul', e.call('add', a!, e.constant(0)), a!));
    expect(square.code).toEqual([{ fn: 'square', args: [0] }]);
  });

  it('keeps x·0 and 0/x, which are NaN for some x', () => {
    const zero = expression(1, (e, a) => e.call('mul', a!, e.constant(0)));
    expect(evaluateExpression(zero, [Infinity])[0]).toBeNaN();
    expect(evaluateExpression(zero, [3])[0]).toBe(0);
  });
});

describe('differentiateExpression()', () => {
  /** Smooth and of moderate size, so that finite differences are good. */
  const SMOOTH: ScalarFn[] = ['add', 'sub', 'mul', 'neg', 'tanh', 'sigmoid', 'erf', 'square', 'fma', 'sin', 'cos'];
  const moderate = fc.tuple(...Array.from({ length: INPUTS }, () => fc.double({ min: -2, max: 2, noNaN: true })));

  it('agrees with finite differences for random expressions of two outputs', () => {
    fc.assert(fc.property(calls(SMOOTH, [1, -0.5, 2], 8), moderate, (list, x) => {
      const y = built(list), values = (at: readonly number[]): number[] => evaluateExpression(y, at);
      fc.pre(values(x).every((v) => Math.abs(v) < 100));
      const weights = [0.7, -1.3], found = evaluateExpression(differentiateExpression(y, [true, true], [0, 1, 2]), [...x, ...weights]);
      const h = 2 ** -17, loss = (i: number, step: number): number => values(x.map((v, k) => (k === i ? v + step : v))).reduce((sum, v, k) => sum + weights[k]! * v, 0);
      found.forEach((d, i) => {
        const slope = (loss(i, h) - loss(i, -h)) / (2 * h);
        fc.pre(Math.abs(d) < 1e4);
        expect(Math.abs(d - slope)).toBeLessThan(1e-6 * Math.max(1, d * d)); // h²·f‴: steep ones bend more
      });
    }), { numRuns: 1000, seed: 4 });
  });

  it('takes only the gradients that are given, and gives zero where nothing depends', () => {
    const e = new ExpressionBuilder(2), y = e.finish([e.call('square', 0), e.call('sin', 1)]);
    const d = differentiateExpression(y, [true, false], [0, 1]);
    expect(d.inputs).toBe(3);
    expect(evaluateExpression(d, [3, 5, 10])).toEqual([60, 0]);
  });

  it('adds up over shared subexpressions', () => {
    const y = expression(1, (e, a) => e.call('mul', e.call('exp', a!), e.call('exp', a!)));
    const [d] = evaluateExpression(differentiateExpression(y, [true], [0]), [0.5, 1]);
    expect(d).toBeCloseTo(2 * Math.exp(1), 12);
  });

  it('can be applied to its own result: second derivatives', () => {
    const once = differentiateExpression(callOf('sin'), [true], [0]), twice = differentiateExpression(once, [true], [0]);
    expect(evaluateExpression(twice, [0.3, 1, 1])[0]).toBeCloseTo(-Math.sin(0.3), 12);
  });
});

describe('allocateRegisters()', () => {
  /** Runs register code as an interpreter does. */
  function execute({ registers, code, outs }: ReturnType<typeof allocateRegisters>, x: readonly number[]): number[] {
    const file = new Array<number>(registers).fill(Number.NaN);
    x.forEach((v, i) => {
      file[i] = v;
    });
    for (const { fn, dst, args, value } of code) {
      expect(dst).toBeLessThan(registers);
      expect(dst).toBeGreaterThanOrEqual(x.length); // an input's register stays, so that a tile is loaded once
      const [a = 0, b = 0, c = 0] = args.map((arg) => file[arg]!);
      file[dst] = fn === 'const' ? value! : SCALAR_RULES[fn].evaluate(a, b, c);
    }
    return outs.map((out) => file[out]!);
  }

  it('gives code whose execution is the expression, bit for bit', () => {
    fc.assert(fc.property(calls(FUNCTIONS, [0, 1.5, -1, Number.NaN], 30), numbers, (list, x) => {
      const y = built(list);
      expect(execute(allocateRegisters(y), x)).toEqual(evaluateExpression(y, x));
    }), { numRuns: 2000, seed: 5 });
  });

  it('uses a register again after its last use: a chain needs one beside the inputs', () => {
    const e = new ExpressionBuilder(1);
    let value = 0;
    for (let i = 0; i < 20; i++) value = e.call(i % 2 === 0 ? 'exp' : 'tanh', value);
    expect(allocateRegisters(e.finish([value])).registers).toBe(2);
  });

  it('is what map encodes, and what it decodes gives the same values', () => {
    fc.assert(fc.property(calls(FUNCTIONS, [0, 1.5, -1], 20), numbers, (list, x) => {
      const y = built(list), { attrs } = REGISTRY.map, meta = { shape: [1], dtype: 'f32' as const };
      const coded = attrs.encode({ expression: y, dtypes: ['f32', 'f32'] });
      const again = attrs.decode(coded, [meta, meta, meta], [meta, meta]);
      expect(evaluateExpression(again.expression, x)).toEqual(evaluateExpression(y, x));
      expect(attrs.encode(again)).toEqual(coded);
    }), { numRuns: 1000, seed: 6 });
  });
});
