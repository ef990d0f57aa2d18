import { describe, expect, it } from 'vitest';
import { evaluateGraph, gradientOf, ndarray, type State } from '../../src/core/index.ts';
import { momentsOf, normGraph, optimizerSchema, updateGraph } from '../../src/train/index.ts';

const parameter = (id: string, shape: number[]): State => ({ id, meta: { shape, dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: true });

describe('normGraph()', () => {
  const states = [parameter('a', [2]), parameter('b', [1, 2])];
  const given = { [gradientOf(states[0]!).id]: ndarray([2], [3, 0]), [gradientOf(states[1]!).id]: ndarray([1, 2], [0, 4]) };
  const run = (maxNorm: number): number[] => {
    const { gradNorm, gradScale } = evaluateGraph(normGraph(states, maxNorm), {}, given).outputs;
    return [gradNorm!.data[0]!, gradScale!.data[0]!];
  };

  it('measures all gradients together and shortens those that are too long', () => {
    expect(run(1)).toEqual([5, 1 / (5 + 1e-6)]);
    expect(run(10)).toEqual([5, 1]);
    expect(run(0)).toEqual([5, 1]);
  });

  it('is not finite where one element is not', () => {
    const broken = { ...given, [gradientOf(states[1]!).id]: ndarray([1, 2], [0, NaN]) };
    expect(evaluateGraph(normGraph(states, 1), {}, broken).outputs.gradNorm!.data[0]).toBeNaN();
  });
});

describe('updateGraph()', () => {
  it('is AdamW, with decay for matrices only', () => {
    const config = optimizerSchema.parse({ beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.5 });
    const states = [parameter('vector', [1]), parameter('matrix', [1, 1])];
    const values = Object.fromEntries(states.flatMap((state) => {
      const one = (x: number) => ndarray(state.meta.shape as number[], [x]), { m, v } = momentsOf(state);
      return [[state.id, one(2)], [gradientOf(state).id, one(0.6)], [m.id, one(0.1)], [v.id, one(0.04)]];
    }));
    const inputs = { lr: ndarray([1], [0.01]), step: ndarray([1], [3]), gradScale: ndarray([1], [0.5]) };
    const { writes } = evaluateGraph(updateGraph(states, config), inputs, values);
    const g = 0.3, m = 0.9 * 0.1 + 0.1 * g, v = 0.99 * 0.04 + 0.01 * g * g; // by hand, from algorithm 2
    const step = (0.01 * (m / (1 - 0.9 ** 3))) / (Math.sqrt(v / (1 - 0.99 ** 3)) + 1e-8);
    expect(writes['vector']!.data[0]).toBeCloseTo(2 - step, 12);
    expect(writes['matrix']!.data[0]).toBeCloseTo(2 - step - 0.01 * 0.5 * 2, 12);
    expect(writes['adam.m:matrix']!.data[0]).toBeCloseTo(m, 12);
    expect(writes['adam.v:matrix']!.data[0]).toBeCloseTo(v, 12);
  });
});
