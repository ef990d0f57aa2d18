// Every operator's gradient rule against finite differences in float64, and against the gradient of its decomposition.

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { GraphBuilder, OP_NAMES, evaluateGraph, evaluateOp, gradients, opOf, sizeOf, sourceOf, type OpName, type Tensor, type TypedArrayND } from '../../src/core/index.ts';
import { cases, distance, floating, normals, operands, scaleOf, type Case } from './samples.ts';

/** Operators without a gradient, on purpose: gradients themselves, the optimizer, and what only inference uses. */
const NOT_DIFFERENTIABLE: readonly OpName[] = [
  'rmsNormBackward',
  'layerNormBackward',
  'attentionBackward',
  'pagedAttention',
  'linearCrossEntropyGrad',
  'adamw',
  'globalNorm',
  'dequantise',
  'quantise',
  'route',
  'groupedLinearGrad',
];

/** Operands that are tables of a model, never parameters. */
const TABLES: Partial<Record<OpName, readonly number[]>> = { rope: [2, 3] };

const wantedOf = (c: Case, x: readonly (TypedArrayND | null)[]): number[] => floating(x).filter((i) => !TABLES[c.op]?.includes(i));

const differentiable = cases().filter((c) => opOf(c.op).vjp !== null && wantedOf(c, operands(c)).length > 0);

type Apply = (b: GraphBuilder, x: (Tensor | null)[]) => Tensor[];

/** loss = Σ weights·outputs, evaluated, or its gradients to all floating operands. */
class Loss {
  readonly #case: Case;
  readonly #x: readonly (TypedArrayND | null)[];
  readonly #weights: (TypedArrayND | null)[];

  constructor(of: Case, x: readonly (TypedArrayND | null)[]) {
    this.#case = of;
    this.#x = x;
    const random = new Random(2, of.title), { residuals = [] } = opOf(of.op);
    const metas = opOf(of.op).infer(of.sample.attrs, x);
    this.#weights = metas.map(({ shape, dtype }, i) => (dtype === 'i32' || residuals.includes(i) ? null : normals(shape as number[], random)));
  }

  value(x: readonly (TypedArrayND | null)[]): number {
    const y = evaluateOp(this.#case.op, this.#case.sample.attrs as never, x);
    let sum = 0;
    y.forEach(({ data }, k) =>
      this.#weights[k]?.data.forEach((w, i) => {
        sum += w * data[i]!;
      })
    );
    return sum;
  }

  gradients(apply: Apply): TypedArrayND[] {
    const b = new GraphBuilder();
    const given: Record<string, TypedArrayND> = {};
    const take = (name: string, array: TypedArrayND): Tensor => {
      given[name] = array;
      return sourceOf(b, name, array);
    };
    const x = this.#x.map((array, i) => array && take(`x${i}`, array));
    const terms = apply(b, x).flatMap((y, k) => {
      const w = this.#weights[k];
      return w ? [b.sumTo(b.reshape(b.call('mul', y, take(`w${k}`, w)), [w.data.length]), [1])] : [];
    });
    const loss = terms.reduce((sum, term) => b.call('add', sum, term));
    const wanted = wantedOf(this.#case, this.#x).map((i) => x[i]!);
    const outputs = Object.fromEntries(gradients(b, loss, wanted).map((t, i) => [String(i), t]));
    const values = evaluateGraph(b.finish(outputs), given, given).outputs;
    return wanted.map((_, i) => ({ ...values[String(i)]!, dtype: 'f32' }));
  }

  byRule(): TypedArrayND[] {
    return this.gradients((b, x) => b.apply(this.#case.op, this.#case.sample.attrs as never, x));
  }
}

/** x with `step·direction` added to operand i. */
function moved(x: readonly (TypedArrayND | null)[], i: number, direction: ArrayLike<number>, step: number): (TypedArrayND | null)[] {
  return x.map((array, k) => (k === i && array ? { ...array, data: array.data.map((v, j) => v + step * direction[j]!) } : array));
}

/**
 * Step of central differences. Their error is h²·f‴/6 + ε·|f|/h; with ε = 2⁻⁵³ and values of order 1 both are near
 * 1e-10 at h = 2e-5 (a power of two: exact to add).
 */
const STEP = 2 ** -15;

/** Relative to the largest derivative and the loss: a hundred times what rounding leaves, far below any wrong term. */
const TOLERANCE = 1e-7;

/** Single elements looked at in each operand, beside the random directions that involve all of them at once. */
const ELEMENTS = 12;

/** Elements of an operand beyond which one evaluation takes tenths of a second. */
const LARGE = 4000;

describe('gradient rules', () => {
  it.each(differentiable.map((c) => [c.title, c] as const))('%s agrees with finite differences', (_title, c) => {
    const x = operands(c), loss = new Loss(c, x), found = loss.byRule(), random = new Random(3, c.title);
    const slope = (i: number, direction: ArrayLike<number>): number => (loss.value(moved(x, i, direction, STEP)) - loss.value(moved(x, i, direction, -STEP))) / (2 * STEP);
    wantedOf(c, x).forEach((i, k) => {
      const { data, shape } = found[k]!, size = data.length;
      expect(shape).toEqual(x[i]!.shape);
      const tolerance = TOLERANCE * scaleOf([...data, loss.value(x)]);
      const chosen = size <= 2 * ELEMENTS ? [...data.keys()] : Array.from({ length: size > LARGE ? 1 : ELEMENTS }, () => random.int(size));
      for (const element of chosen) {
        const direction = new Float64Array(size);
        direction[element] = 1;
        expect(Math.abs(slope(i, direction) - data[element]!), `operand ${i}, element ${element}`).toBeLessThan(tolerance);
      }
      // A random direction of length 1: an error in any element shows.
      const way = normals([size], random).data, length = Math.hypot(...way) || 1, direction = way.map((v) => v / length);
      const along = data.reduce((sum, d, j) => sum + d * direction[j]!, 0);
      expect(Math.abs(slope(i, direction) - along), `operand ${i}, random direction`).toBeLessThan(tolerance);
    });
  });

  it('operators without a rule are those that are listed here', () => {
    expect(OP_NAMES.filter((op) => opOf(op).vjp === null).sort()).toEqual([...NOT_DIFFERENTIABLE].sort());
  });

  // dequantise has no operand that a gradient could be asked of; route and quantise have only integers to give.
  it.each(NOT_DIFFERENTIABLE.filter((op) => !['dequantise', 'quantise', 'route'].includes(op)).map((op) => [op] as const))('%s cannot be differentiated through, and says so', (op) => {
    const c = cases().find((other) => other.op === op)!, loss = new Loss(c, operands(c));
    expect(() => loss.byRule()).toThrow(new RegExp(`Cannot differentiate through "${op}".*on purpose`));
  });

  const residuals = differentiable.flatMap((c) => (opOf(c.op).residuals ?? []).map((output) => [c.title, output, c] as const));
  it.each(residuals)('%s refuses a loss of its output %i, a statistic', (_title, output, { op, sample, title }) => {
    const b = new GraphBuilder(), x = operands({ op, sample, title }).map((array, i) => array && b.input(`x${i}`, array));
    const y = b.apply(op, sample.attrs as never, x)[output]!, loss = b.sumTo(b.reshape(y, [sizeOf(y.shape)]), [1]);
    expect(() => gradients(b, loss, [x[0]!])).toThrow(new RegExp(`Cannot differentiate through "${op}".*its output ${output} is a statistic`));
  });

  const tables = differentiable.flatMap((c) => (TABLES[c.op] ?? []).map((operand) => [c.title, operand, c] as const));
  it.each(tables)('%s refuses a gradient to its operand %i, a table', (_title, operand, { op, sample, title }) => {
    const b = new GraphBuilder(), x = operands({ op, sample, title }).map((array, i) => array && b.input(`x${i}`, array));
    const y = b.apply(op, sample.attrs as never, x)[0]!, loss = b.sumTo(b.reshape(y, [sizeOf(y.shape)]), [1]);
    expect(() => gradients(b, loss, [x[operand]!])).toThrow(`its operand ${operand} has no gradient`);
  });

  it('every operator but the sources has a sample', () => {
    const without = OP_NAMES.filter((op) => opOf(op).samples.length === 0);
    expect(without.map((op) => opOf(op).kind)).toEqual(without.map(() => 'source'));
  });
});

describe('gradients of named operators', () => {
  const named = differentiable.filter(({ op }) => opOf(op).kind === 'named');

  it('there is one for each backward operator', () => {
    expect(new Set(named.map(({ op }) => op))).toEqual(new Set(['linear', 'rmsNorm', 'layerNorm', 'rope', 'attention', 'linearCrossEntropy', 'groupedLinear']));
  });

  it.each(named.map((c) => [c.title, c] as const))("%s equals its decomposition's gradient", (_title, c) => {
    const rules = opOf(c.op), loss = new Loss(c, operands(c)), byRule = loss.byRule();
    if (rules.kind !== 'named') throw new Error('unreachable');
    const byParts = loss.gradients((b, x) => rules.decompose(b, c.sample.attrs, x));
    byRule.forEach(({ data }, i) => {
      // The same sums in another order: a few hundred roundings of 2⁻⁵³.
      expect(distance(data, byParts[i]!.data)).toBeLessThan(1e-12 * scaleOf(data));
    });
  });
});
