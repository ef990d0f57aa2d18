// The layer of experts against its formula, token by token, in float64.

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { evaluateGraph, GraphBuilder, ndarray, type NDArray } from '../../src/core/index.ts';
import { expertMlp, softmax, type Context, type ExpertOptions } from '../../src/nn/index.ts';

// N tokens, C channels, E experts, F channels within one
const C = 6, F = 5;
const random = new Random(3, 'tests.experts');
const normals = (...shape: number[]): NDArray => ndarray(shape, Float64Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, () => random.normal()));

interface Given {
  readonly x: NDArray;
  readonly scores: NDArray;
  readonly choice: NDArray;
}

function run(given: Given, options: Omit<ExpertOptions, 'nInner' | 'std'>) {
  const b = new GraphBuilder(), weights: Record<string, NDArray> = {}, n = given.x.shape[0]!;
  const input = (name: keyof Given) => b.input(name, { shape: given[name].shape, dtype: 'f32' });
  const ctx: Context = {
    b,
    tokens: b.input('tokens', { shape: [n], dtype: 'i32' }),
    positions: b.input('tokens', { shape: [n], dtype: 'i32' }),
    attend: (_layer, q) => q,
    parameter(name, shape) {
      const id = `${b.scope}.${name}`;
      weights[id] = normals(...shape);
      return b.state({ id, meta: { shape, dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: true });
    },
    buffer: () => {
      throw new Error('unreachable');
    },
  };
  const y = expertMlp(ctx, input('x'), input('scores'), input('choice'), { ...options, nInner: F, std: 1 });
  return { y: evaluateGraph(b.finish({ y }), { ...given, tokens: ndarray([n]) }, weights).outputs.y!, weights };
}

/** down(silu(gate(x))·up(x)) of one expert. */
function expertOf(weights: Record<string, NDArray>, expert: number, x: readonly number[]): number[] {
  const times = (name: string, v: readonly number[]): number[] => {
    const { shape: [rows = 0, columns = 0], data } = weights[`experts.${expert}.${name}.weight`]!;
    return Array.from({ length: rows }, (_, i) => v.reduce((sum, value, j) => sum + value * data[i * columns + j]!, 0));
  };
  const gate = times('gate', x), up = times('up', x);
  return times('down', gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!));
}

const rowOf = ({ shape, data }: NDArray, i: number): number[] => Array.from(data.subarray(i * shape[1]!, (i + 1) * shape[1]!));

/** What `expertMlp` should give for a token whose experts are known. */
function expected(given: Given, weights: Record<string, NDArray>, token: number, experts: readonly number[], normalised: boolean, scale: number): number[] {
  const scores = experts.map((expert) => rowOf(given.scores, token)[expert]!), sum = normalised ? scores.reduce((a, b) => a + b) : 1, out = new Array<number>(C).fill(0);
  experts.forEach((expert, i) =>
    expertOf(weights, expert, rowOf(given.x, token)).forEach((value, c) => {
      out[c]! += ((scale * scores[i]!) / sum) * value;
    })
  );
  return out;
}

const largest = (row: readonly number[], k: number): number[] => row.map((_, i) => i).sort((i, j) => row[j]! - row[i]! || i - j).slice(0, k);

describe('expertMlp()', () => {
  it.each([[true, 1], [false, 2.5], [true, 2.5]])('weighs the chosen experts, normalised %s, scale %f', (normalised, scale) => {
    const given = { x: normals(9, C), scores: ndarray([9, 7], normals(9, 7).data.map(Math.abs)), choice: normals(9, 7) };
    const { y, weights } = run(given, { nExperts: 7, nUsed: 3, normalised, scale });
    for (let token = 0; token < 9; token++) {
      const wanted = expected(given, weights, token, largest(rowOf(given.choice, token), 3), normalised, scale);
      rowOf(y, token).forEach((value, c) => expect(value).toBeCloseTo(wanted[c]!, 12));
    }
  });

  it('chooses within the best groups, by the two best of each', () => {
    const choice = ndarray([2, 6], [9, 0, 5, 5, 1, 8, /* 9 + 0 < 5 + 5 and 1 + 8 */ 0, 1, 2, 3, 4, 5]);
    const given = { x: normals(2, C), scores: ndarray([2, 6], normals(2, 6).data.map(Math.abs)), choice };
    const { y, weights } = run(given, { nExperts: 6, nUsed: 2, nGroups: 3, topGroups: 1, normalised: true });
    [[2, 3], [5, 4]].forEach((experts, token) => {
      const wanted = expected(given, weights, token, experts, true, 1);
      rowOf(y, token).forEach((value, c) => expect(value).toBeCloseTo(wanted[c]!, 12));
    });
  });

  it('drops nothing when all tokens choose one expert', () => {
    const choice = ndarray([8, 5], Float64Array.from({ length: 40 }, (_, i) => Number(i % 5 === 3)));
    const given = { x: normals(8, C), scores: ndarray([8, 5], normals(8, 5).data.map(Math.abs)), choice };
    const { y, weights } = run(given, { nExperts: 5, nUsed: 1, normalised: false });
    for (let token = 0; token < 8; token++) {
      const wanted = expected(given, weights, token, [3], false, 1);
      rowOf(y, token).forEach((value, c) => expect(value).toBeCloseTo(wanted[c]!, 12));
    }
  });
});

describe('softmax()', () => {
  it('sums to one and does not overflow', () => {
    const b = new GraphBuilder(), x = ndarray([2, 3], [1000, 999, -1000, 0, 0, 0]);
    const y = softmax({ b } as Context, b.input('x', { shape: x.shape, dtype: 'f32' })), { data } = evaluateGraph(b.finish({ y }), { x }).outputs.y!;
    const e = Math.exp(-1);
    [1 / (1 + e), e / (1 + e), 0, 1 / 3, 1 / 3, 1 / 3].forEach((value, i) => expect(data[i]).toBeCloseTo(value, 12));
  });
});
