import { describe, expect, it } from 'vitest';
import { SCALAR_RULES, callOf, differentiateExpression, evaluateExpression, scalarFnOf, type ScalarFn } from '../../src/core/index.ts';

const names = Object.keys(SCALAR_RULES) as ScalarFn[];

describe('SCALAR_RULES', () => {
  it('have codes 0, 1, 2, … in order: they are part of the program format', () => {
    expect(names.map((fn) => SCALAR_RULES[fn].code)).toEqual(names.map((_, i) => i));
    for (const fn of names) expect(scalarFnOf(SCALAR_RULES[fn].code)).toBe(fn);
    expect(scalarFnOf(names.length)).toBeUndefined();
  });

  /** Points inside the domain and away from kinks. */
  const points = (fn: ScalarFn): number[][] => {
    const all = [-1.7, -0.6, 0.4, 1.3, 2.6], positive = [0.3, 0.9, 1.7, 4.2];
    const first = ['log', 'sqrt', 'rsqrt', 'pow'].includes(fn) ? positive : all;
    return first.map((a, i) => [a, all[(i + 2) % all.length]!, all[(i + 4) % all.length]!]);
  };

  it.each(names.filter((fn) => fn !== 'const').map((fn) => [fn]))('%s has the derivative that finite differences give', (fn) => {
    const { arity, evaluate } = SCALAR_RULES[fn], y = callOf(fn);
    const d = differentiateExpression(y, [true], Array.from({ length: arity }, (_, i) => i));
    for (const point of points(fn)) {
      const found = evaluateExpression(d, [...point.slice(0, arity), 1]);
      found.forEach((value, i) => {
        const at = (step: number): number => evaluate(...(point.map((v, k) => (k === i ? v + step : v)) as [number, number, number]));
        const h = 2 ** -17, slope = (at(h) - at(-h)) / (2 * h);
        expect(Math.abs(value - slope), `operand ${i} at ${point}`).toBeLessThan(2e-9 * Math.max(1, Math.abs(slope)) + 1e-8);
      });
    }
  });

  it('pass NaN on, but where a choice does not look at it', () => {
    for (const fn of names.filter((name) => !['const', 'lt', 'le', 'eq', 'select'].includes(name))) {
      const { arity, evaluate } = SCALAR_RULES[fn];
      for (let i = 0; i < arity; i++) {
        const args = [0.5, 0.5, 0.5];
        args[i] = Number.NaN;
        expect(evaluate(args[0]!, args[1]!, args[2]!), `${fn}, operand ${i}`).toBeNaN();
      }
    }
    expect(SCALAR_RULES.select.evaluate(0, Number.NaN, 7)).toBe(7);
    expect(SCALAR_RULES.eq.evaluate(Number.NaN, Number.NaN, 0)).toBe(0);
  });

  it('keep saturating functions finite at infinity', () => {
    for (const [fn, low, high] of [['tanh', -1, 1], ['sigmoid', 0, 1], ['erf', -1, 1], ['exp', 0, Infinity]] as const) {
      expect(SCALAR_RULES[fn].evaluate(-Infinity, 0, 0)).toBe(low);
      expect(SCALAR_RULES[fn].evaluate(Infinity, 0, 0)).toBe(high);
    }
  });

  it('erf is accurate to 1e-14 (values of C’s erf)', () => {
    const table = [
      [1e-300, 1.1283791670955126e-300],
      [1e-10, 1.1283791670955126e-10],
      [0.1, 0.1124629160182849],
      [0.25, 0.2763263901682369],
      [0.5, 0.5204998778130465],
      [0.84375, 0.7672256612323416],
      [1, 0.8427007929497149],
      [1.25, 0.9229001282564582],
      [1.5, 0.9661051464753108],
      [2, 0.9953222650189527],
      [2.25, 0.9985372834133188],
      [2.4999, 0.9995928300996666],
      [2.5, 0.999593047982555],
      [2.7, 0.9998656672600594],
      [3, 0.9999779095030014],
      [3.5, 0.9999992569016276],
      [4, 0.9999999845827421],
      [5, 0.9999999999984626],
      [5.9, 0.9999999999999999],
      [6.1, 1.0],
      [8, 1.0],
    ];
    const { evaluate } = SCALAR_RULES.erf;
    for (const [x, value] of table) {
      expect(Math.abs(evaluate(x, 0, 0) - value), `erf(${x})`).toBeLessThanOrEqual(1e-14 * Math.min(1, 10 * value));
      expect(evaluate(-x, 0, 0)).toBe(-evaluate(x, 0, 0));
    }
    for (const seam of [2.5, 6]) expect(Math.abs(evaluate(seam, 0, 0) - evaluate(seam - 1e-12, 0, 0))).toBeLessThan(1e-14);
  });
});
