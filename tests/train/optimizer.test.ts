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
      const one = (x: number) => ndarray(state.meta.shape as number[], [x]), [m, v] = momentsOf(state, config) as [State, State];
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

  it('is Muon for matrices of the blocks, AdamW for the rest', () => {
    const config = optimizerSchema.parse({ kind: 'muon', momentum: 0.9, weightDecay: 0.5 }), lr = 0.01, scale = 0.5;
    const tall = parameter('blocks.0.attn.q.weight', [3, 2]), wide = parameter('blocks.0.mlp.up.weight', [2, 3]), table = parameter('embed.weight', [2, 3]);
    const p = [0.3, -0.2, 0.5, 0.1, -0.4, 0.7], g = [1, -2, 0.5, 3, 0.25, -1], m = [0.2, 0.1, -0.3, 0.4, 0, 0.6];
    const values = Object.fromEntries([tall, wide, table].flatMap((state) => [
      [state.id, ndarray(state.meta.shape as number[], p)],
      [gradientOf(state).id, ndarray(state.meta.shape as number[], g)],
      ...momentsOf(state, config).map((moment) => [moment.id, ndarray(state.meta.shape as number[], m)]),
    ]));
    expect(momentsOf(table, config).map(({ id }) => id)).toEqual(['adam.m:embed.weight', 'adam.v:embed.weight']);
    const inputs = { lr: ndarray([1], [lr]), step: ndarray([1], [3]), gradScale: ndarray([1], [scale]) };
    const { writes } = evaluateGraph(updateGraph([tall, wide, table], config), inputs, values);
    const mean = m.map((value, i) => 0.9 * value + 0.1 * scale * g[i]!), direction = mean.map((value, i) => 0.9 * value + 0.1 * scale * g[i]!);
    for (const [state, rows, columns] of [[tall, 3, 2], [wide, 2, 3]] as const) {
      const x = newtonSchulz(direction, rows, columns);
      writes[`muon.m:${state.id}`]!.data.forEach((value, i) => expect(value).toBeCloseTo(mean[i]!, 12));
      writes[state.id]!.data.forEach((value, i) => expect(value).toBeCloseTo(p[i]! - lr * (0.2 * Math.sqrt(3) * x[i]! + 0.5 * p[i]!), 10));
      const gram = product(x, transpose(x, rows, columns), rows, columns, rows), trace = Array.from({ length: rows }, (_, i) => gram[i * rows + i]!).reduce((a, b) => a + b);
      expect(trace).toBeGreaterThan(2 * 0.7 ** 2); // both singular values are near 1
      expect(trace).toBeLessThan(2 * 1.25 ** 2);
    }
  });
});

/** a [m, k] · b [k, n] */
function product(a: readonly number[], b: readonly number[], m: number, k: number, n: number): number[] {
  return Array.from({ length: m * n }, (_, at) => Array.from({ length: k }, (_, q) => a[Math.floor(at / n) * k + q]! * b[q * n + (at % n)]!).reduce((x, y) => x + y));
}

function transpose(a: readonly number[], rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** Five steps by hand, always over the rows. */
function newtonSchulz(direction: readonly number[], rows: number, columns: number): number[] {
  const norm = Math.hypot(...direction) + 1e-6;
  let x = direction.map((value) => value / norm);
  for (let i = 0; i < 5; i++) {
    const gram = product(x, transpose(x, rows, columns), rows, columns, rows), square = product(gram, gram, rows, rows, rows);
    const more = product(gram.map((value, at) => -4.775 * value + 2.0315 * square[at]!), x, rows, rows, columns);
    x = x.map((value, at) => 3.4445 * value + more[at]!);
  }
  return x;
}
