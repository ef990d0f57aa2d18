// Layers against their formulas, in float64.

import { describe, expect, it } from 'vitest';
import { callOf, evaluateExpression, evaluateGraph, GraphBuilder, ndarray, type NDArray, type Tensor } from '../../src/core/index.ts';
import { fusedGatedMlp, gatedMlp, geluGate, geluMlp, layerNorm, linear, mergeHeads, rmsNorm, rmsNormFromOne, ropeFrequencies, ropeMagnitude, ropeTable, rotary, siluGate, splitChannels, splitHeads, type Context } from '../../src/nn/index.ts';

/** Runs a layer on x, its parameters being what `value` says by name. */
function run(x: NDArray, layer: (ctx: Context, x: Tensor) => Tensor, value: (id: string, i: number) => number = (_id, i) => Math.sin(i + 1)) {
  const b = new GraphBuilder(), states: Record<string, NDArray> = {}, n = x.shape[0]!;
  const row = (name: string): Tensor => b.input(name, { shape: [n], dtype: 'i32' });
  const make = (id: string, shape: readonly number[], data?: ArrayLike<number>): Tensor => {
    states[id] = ndarray(shape, data ?? Float64Array.from({ length: shape.reduce((p, d) => p * d, 1) }, (_, i) => value(id, i)));
    return b.state({ id, meta: { shape, dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: true });
  };
  const ctx: Context = {
    b,
    tokens: row('tokens'),
    positions: row('positions'),
    attend: (_layer, q) => q,
    parameter: (name, shape) => make(`${b.scope}.${name}`, shape),
    buffer: (name, shape, values) => make(name, shape, values()),
  };
  const graph = b.finish({ y: layer(ctx, b.input('x', { shape: x.shape, dtype: 'f32' })) });
  const positions = ndarray([n], Float64Array.from({ length: n }, (_, i) => 3 * i));
  return { y: evaluateGraph(graph, { x, positions }, states).outputs.y!, states };
}

const x = ndarray([3, 8], Float64Array.from({ length: 24 }, (_, i) => Math.cos(2 * i + 0.3)));
const rowOf = (array: NDArray, r: number): number[] => Array.from(array.data.subarray(r * array.shape[1]!, (r + 1) * array.shape[1]!));
const times = (row: readonly number[], w: NDArray): number[] => Array.from({ length: w.shape[0]! }, (_, o) => row.reduce((sum, value, i) => sum + value * w.data[o * row.length + i]!, 0));
const closeTo = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 12));
};

describe('linear()', () => {
  it('is x·wᵀ + bias, its parameters named', () => {
    const { y, states } = run(x, (ctx, t) => linear(ctx, t, 'q', 5, { bias: true, std: 1 }));
    expect(Object.keys(states)).toEqual(['q.weight', 'q.bias']);
    closeTo(rowOf(y, 1), times(rowOf(x, 1), states['q.weight']!).map((value, i) => value + states['q.bias']!.data[i]!));
  });

  it('has no bias unless wanted', () => expect(Object.keys(run(x, (ctx, t) => linear(ctx, t, 'q', 5, { bias: false, std: 1 })).states)).toEqual(['q.weight']));
});

describe('norms', () => {
  it('rmsNorm() divides by the root of the mean square', () => {
    const { y, states } = run(x, (ctx, t) => rmsNorm(ctx, t, 'norm', 1e-3)), row = rowOf(x, 2);
    const rms = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / 8 + 1e-3);
    closeTo(rowOf(y, 2), row.map((v, i) => (v / rms) * states['norm.weight']!.data[i]!));
  });

  it('rmsNorm() norms each head with one weight', () => {
    const { y, states } = run(x, (ctx, t) => mergeHeads(ctx, rmsNorm(ctx, splitHeads(ctx, t, 2), 'qNorm', 1e-3))), weight = states['qNorm.weight']!;
    expect(weight.shape).toEqual([4]);
    const parts = [rowOf(x, 1).slice(0, 4), rowOf(x, 1).slice(4)].flatMap((head) => {
      const rms = Math.sqrt(head.reduce((sum, v) => sum + v * v, 0) / 4 + 1e-3);
      return head.map((v, i) => (v / rms) * weight.data[i]!);
    });
    closeTo(rowOf(y, 1), parts);
  });

  it('rmsNormFromOne() counts its weight from one', () => {
    const plain = run(x, (ctx, t) => rmsNorm(ctx, t, 'norm', 1e-3), (_id, i) => 1 + Math.sin(i + 1)), { y } = run(x, (ctx, t) => rmsNormFromOne(ctx, t, 'norm', 1e-3));
    closeTo(y.data, [...plain.y.data]);
  });

  it.each([true, false])('layerNorm() centres and scales, bias %s', (bias) => {
    const { y, states } = run(x, (ctx, t) => layerNorm(ctx, t, 'norm', { eps: 1e-3, bias })), row = rowOf(x, 2);
    const mean = row.reduce((sum, v) => sum + v, 0) / 8, sd = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 8 + 1e-3);
    closeTo(rowOf(y, 2), row.map((v, i) => ((v - mean) / sd) * states['norm.weight']!.data[i]! + (bias ? states['norm.bias']!.data[i]! : 0)));
  });
});

describe('feed-forward layers', () => {
  const gelu = (v: number): number => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const silu = (v: number): number => v / (1 + Math.exp(-v));
  const options = { nInner: 6, bias: false, std: 1, outStd: 1 };

  it('gelu and siluGate() are their formulas', () => {
    for (const v of [-30, -3, -0.5, 0, 1e-3, 2, 30]) {
      expect(evaluateExpression(callOf('gelu'), [v])[0]).toBeCloseTo(gelu(v), 12);
      expect(evaluateExpression(siluGate(), [v, 1.7])[0]).toBeCloseTo(silu(v) * 1.7, 12);
    }
  });

  it('gatedMlp() is down(silu(gate)·up)', () => {
    const { y, states: { 'gate.weight': gate, 'up.weight': up, 'down.weight': down } } = run(x, (ctx, t) => gatedMlp(ctx, t, options), (id, i) => Math.sin(i + id.length));
    const g = times(rowOf(x, 0), gate!), u = times(rowOf(x, 0), up!);
    closeTo(rowOf(y, 0), times(g.map((v, i) => silu(v) * u[i]!), down!));
  });

  it('gatedMlp() takes another gate: gelu, in its tanh form', () => {
    const { y, states: { 'gate.weight': gate, 'up.weight': up, 'down.weight': down } } = run(x, (ctx, t) => gatedMlp(ctx, t, options, geluGate()), (id, i) => Math.sin(i + id.length));
    const g = times(rowOf(x, 2), gate!), u = times(rowOf(x, 2), up!);
    closeTo(rowOf(y, 2), times(g.map((v, i) => gelu(v) * u[i]!), down!));
  });

  it('fusedGatedMlp() has the gate above what passes in one matrix', () => {
    const { y, states: { 'gateUp.weight': both, 'down.weight': down } } = run(x, (ctx, t) => fusedGatedMlp(ctx, t, options)), halves = times(rowOf(x, 0), both!);
    expect(both!.shape).toEqual([12, 8]);
    closeTo(rowOf(y, 0), times(halves.slice(0, 6).map((v, i) => silu(v) * halves[i + 6]!), down!));
  });

  it('geluMlp() is down(gelu(up))', () => {
    const { y, states: { 'up.weight': up, 'down.weight': down } } = run(x, (ctx, t) => geluMlp(ctx, t, options));
    closeTo(rowOf(y, 0), times(times(rowOf(x, 0), up!).map(gelu), down!));
  });
});

describe('heads', () => {
  it('splitChannels() and splitHeads() keep channels together, mergeHeads() is the way back', () => {
    const [, second] = [0, 1].map((part) => run(x, (ctx, t) => splitChannels(ctx, t, 2)[part]!).y);
    closeTo(second!.data, [0, 1, 2].flatMap((r) => rowOf(x, r).slice(4)));
    const { y } = run(x, (ctx, t) => splitHeads(ctx, t, 4));
    expect(y.shape).toEqual([3, 4, 2]);
    closeTo(y.data, [...x.data]);
    expect(run(x, (ctx, t) => mergeHeads(ctx, splitHeads(ctx, t, 4))).y.shape).toEqual([3, 8]);
  });
});

describe('rotary positions', () => {
  const options = { theta: 100, headSize: 4, maxPositions: 16 };

  it('rotary() turns halves of the channels by position·θ^(−2i/D)', () => {
    const { y } = run(x, (ctx, t) => rotary(ctx, options)(splitHeads(ctx, t, 2)));
    for (let n = 0; n < 3; n++) {
      for (let h = 0; h < 2; h++) {
        for (let i = 0; i < 2; i++) {
          const angle = 3 * n * 100 ** (-i / 2), at = n * 8 + h * 4 + i, a = x.data[at]!, c = x.data[at + 2]!;
          expect(y.data[at]).toBeCloseTo(a * Math.cos(angle) - c * Math.sin(angle), 6); // tables are f32
          expect(y.data[at + 2]).toBeCloseTo(c * Math.cos(angle) + a * Math.sin(angle), 6);
        }
      }
    }
  });

  it('ropeTable() is rounded once, from float64', () => {
    const table = ropeTable('sin', { ...options, maxPositions: 100_000 });
    expect(table[99_999 * 2 + 1]).toBe(Math.fround(Math.sin(99_999 * 100 ** -0.5)));
    expect(table.length).toBe(200_000);
  });

  it('ropeFrequencies() scale linearly, and by llama3 with its ends and its middle', () => {
    const plain = ropeFrequencies({ theta: 10000, headSize: 128 });
    expect([...ropeFrequencies({ theta: 10000, headSize: 128, scaling: { rope_type: 'linear', factor: 4 } })]).toEqual([...plain].map((f) => f / 4));
    const llama3 = ropeFrequencies({ theta: 10000, headSize: 128, scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } });
    plain.forEach((frequency, i) => {
      const wavelength = (2 * Math.PI) / frequency, smooth = (8192 / wavelength - 1) / (4 - 1);
      const expected = wavelength < 8192 / 4 ? frequency : wavelength > 8192 ? frequency / 8 : (1 - smooth) * (frequency / 8) + smooth * frequency;
      expect(llama3[i]! / expected).toBeCloseTo(1, 12);
    });
    expect(llama3[0]).toBe(plain[0]);
    expect(llama3[63]).toBe(plain[63]! / 8);
  });

  it('ropeFrequencies() of yarn keep fast channels, divide slow ones, and blend between', () => {
    const plain = ropeFrequencies({ theta: 10000, headSize: 128 }), scaling = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 4096 } as const;
    const yarn = ropeFrequencies({ theta: 10000, headSize: 128, scaling }), turns = (i: number): number => (4096 * plain[i]!) / (2 * Math.PI);
    plain.forEach((frequency, i) => {
      const ratio = frequency / yarn[i]!;
      if (turns(i) > 32 * 1.2) expect(ratio).toBe(1); // ends are rounded outwards to whole channels, a sixth of the frequency
      else if (turns(i) < 1 / 1.2) expect(ratio).toBeCloseTo(4, 12);
      else expect(ratio).toBeGreaterThanOrEqual(1);
      if (i > 0) expect(ratio).toBeGreaterThanOrEqual(plain[i - 1]! / yarn[i - 1]! - 1e-12);
    });
    expect(ropeFrequencies({ theta: 10000, headSize: 128, maxPositions: 4096, scaling: { rope_type: 'yarn', factor: 4 } })).toEqual(yarn);
    expect(ropeMagnitude({ scaling })).toBeCloseTo(0.1 * Math.log(4) + 1, 14);
    expect(ropeMagnitude({ scaling: { ...scaling, mscale: 1, mscale_all_dim: 1 } })).toBe(1);
    expect(ropeMagnitude({ scaling: { ...scaling, attention_factor: 0.7 } })).toBe(0.7);
  });

  it('ropeFrequencies() of longrope choose their divisors by the length of the run', () => {
    const scaling = { rope_type: 'longrope', short_factor: [1, 2], long_factor: [4, 8], original_max_position_embeddings: 16 } as const;
    const options = { theta: 100, headSize: 4, maxPositions: 64, scaling };
    expect([...ropeFrequencies({ ...options, maxLength: 16 })]).toEqual([1, 0.1 / 2]);
    for (const maxLength of [17, undefined]) expect([...ropeFrequencies({ ...options, maxLength })]).toEqual([1 / 4, 0.1 / 8]);
    expect(ropeMagnitude(options)).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(16)), 14);
    expect(ropeMagnitude({ ...options, maxPositions: 16 })).toBe(1);
  });
});
