// Random operands and attributes for each operator that is an instruction: odd sizes, absent operands, rows that are
// skipped. One generator a kernel; a test fails where one is missing.

import { Random } from '../../src/base/random.ts';
import { BLOCKS, ExpressionBuilder, QUANTISED, SCALAR_RULES, evaluateOp, type BlockFormat, type DType, type Expression, type OpAttrs, type OpName, type ScalarFn, type TypedArrayND } from '../../src/core/index.ts';
import { inBlocks } from './samples.ts';

const FORMATS = Object.keys(BLOCKS) as BlockFormat[];

/** Attributes and operands of one application of an operator. */
export interface Application<K extends OpName = OpName> {
  readonly attrs: OpAttrs[K];
  readonly x: readonly (TypedArrayND | null)[];
}

export type Generators = { readonly [K in OpName]?: (r: Draw) => Application<K> };

/** Around the widths of registers, tiles and blocks. */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 100];

/** Draws of what operators need. */
export class Draw {
  readonly #random: Random;

  constructor(seed: number, stream: string) {
    this.#random = new Random(seed, stream);
  }

  int(from: number, to: number): number {
    return from + this.#random.int(to - from + 1);
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[this.#random.int(choices.length)]!;
  }

  chance(): boolean {
    return this.#random.int(2) === 1;
  }

  /** A size; one time in twelve none at all. */
  size(max = 100): number {
    return this.#random.int(12) === 0 ? 0 : this.some(max);
  }

  /** A size of at least 1. */
  some(max = 100): number {
    return this.pick(...SIZES.filter((size) => size <= max));
  }

  uniform(): number {
    return this.#random.uniform();
  }

  array(shape: readonly number[], value: (i: number) => number, dtype: DType = 'f32'): TypedArrayND {
    return { shape, dtype, data: Float64Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, (_, i) => value(i)) };
  }

  normal(...shape: number[]): TypedArrayND {
    return this.array(shape, () => this.#random.normal());
  }

  /** A block format, every other time. */
  format(): BlockFormat | undefined {
    return this.chance() ? this.pick(...FORMATS) : undefined;
  }

  weight(format: BlockFormat, m: number, k: number): TypedArrayND {
    return inBlocks(format, [m, k], this.normal(m, k).data);
  }

  /** Integers from `from` to `to`. */
  ints(shape: readonly number[], from: number, to: number): TypedArrayND {
    return this.array(shape, () => this.int(from, Math.max(from, to)), 'i32');
  }

  maybe<T>(make: () => T): T | null {
    return this.chance() ? make() : null;
  }

  /** Where the document of each token starts. */
  starts(n: number): TypedArrayND {
    let start = 0;
    return this.array([n], (i) => (start = i > 0 && this.#random.int(9) === 0 ? i : start), 'i32');
  }

  attention(d: number): OpAttrs['attention'] {
    return { scale: 1 / Math.sqrt(d), window: this.pick(0, 0, 1, 4, 40), softcap: this.pick(0, 0, 2) };
  }

  permutation(n: number): number[] {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    this.#random.shuffle(order);
    return [...order];
  }
}

/** Functions of random expressions: those whose domain is everything. */
const TOTAL = (Object.keys(SCALAR_RULES) as ScalarFn[]).filter((fn) => !['const', 'log', 'sqrt', 'rsqrt', 'pow', 'recip', 'div', 'exp', 'floor'].includes(fn));

/** A random expression of a few calls. */
export function randomExpression(r: Draw, inputs: number, calls: number, functions: readonly ScalarFn[] = TOTAL): Expression {
  const e = new ExpressionBuilder(inputs), values = Array.from({ length: inputs }, (_, i) => i);
  values.push(e.constant(r.pick(0, 1, -1, 0.5, 3)));
  for (let i = 0; i < calls; i++) {
    const fn = r.pick(...functions);
    values.push(e.call(fn, ...Array.from({ length: SCALAR_RULES[fn].arity }, () => r.pick(...values.slice(-5)))));
  }
  return e.finish(values.slice(-r.pick(1, 1, 2, 3)));
}

/** A shape that broadcasts to `shape`: fewer axes, or some of length 1. */
function broadcastable(r: Draw, shape: readonly number[]): number[] {
  return shape.slice(r.pick(0, 0, r.int(0, shape.length - 1))).map((dim) => (r.int(0, 3) === 0 ? 1 : dim));
}

const shapeOf = (r: Draw, rank: number, max: number): number[] => Array.from({ length: rank }, () => r.size(max));

/** Rows, and the offsets of some experts' among them; one time in six offsets that make no sense. */
function groups(r: Draw) {
  const axes = r.chance() ? [r.size(65)] : [r.size(17), r.int(1, 4)], rows = axes.reduce((n, dim) => n * dim, 1), e = r.int(1, 5);
  const inner = Array.from({ length: e - 1 }, () => r.int(0, rows)).sort((a, b) => a - b), nonsense = r.int(0, 5) === 0;
  return { axes, e, offsets: nonsense ? r.ints([e + 1], -3, rows + 3) : r.array([e + 1], (i) => [0, ...inner, rows][i]!, 'i32') };
}

// N tokens, C channels, K inputs, M outputs, H heads, KV key heads, D head size, V rows of a table
export const GENERATORS: Generators = {
  fill(r) {
    const dtype = r.pick('f32', 'f32', 'i32');
    return { attrs: { value: dtype === 'i32' ? r.pick(0, -7, 3e8) : r.pick(0, -1.5, 3e8), shape: shapeOf(r, r.int(1, 3), 33), dtype }, x: [] };
  },
  iota: (r) => ({ attrs: { length: r.int(0, 300), dtype: r.pick('f32', 'i32') }, x: [] }),
  map(r) {
    const shape = shapeOf(r, r.int(1, 4), 33), inputs = r.int(1, 4), expression = randomExpression(r, inputs, r.int(1, 8));
    const x = Array.from({ length: inputs }, () => {
      const own = broadcastable(r, shape);
      return r.int(0, 5) === 0 ? r.ints(own, -9, 9) : r.normal(...own);
    });
    return { attrs: { expression, dtypes: expression.outs.map(() => 'f32' as const), shape }, x };
  },
  reduce(r) {
    const shape = shapeOf(r, r.int(1, 4), 49), axis = r.int(0, shape.length - 1);
    return { attrs: { kind: r.pick('sum', 'max'), axis }, x: [r.normal(...shape)] };
  },
  matmul(r) {
    const batch = r.chance() ? [r.int(1, 4)] : [], m = r.size(), n = r.size(), k = r.size(), transA = r.chance(), transB = r.chance();
    const a = r.normal(...batch, ...(transA ? [k, m] : [m, k])), b = r.normal(...batch, ...(transB ? [n, k] : [k, n]));
    return { attrs: { transA, transB }, x: [a, b, r.maybe(() => r.normal(...batch, m, n))] };
  },
  linear(r) {
    const format = r.format(), n = r.size(), m = r.some(), k = format === undefined ? r.some() : BLOCKS[format].values * r.int(1, 3);
    const weight = format === undefined ? r.normal(m, k) : r.weight(format, m, k);
    return { attrs: {}, x: [r.normal(n, k), weight, r.maybe(() => r.normal(m)), r.maybe(() => r.normal(n, m))] };
  },
  route(r) {
    const nGroups = r.int(1, 4), topGroups = r.int(1, nGroups), size = r.some(17), n = r.size(33), topK = r.int(1, Math.min(9, topGroups * size));
    const scores = r.chance() ? r.normal(n, nGroups * size) : r.array([n, nGroups * size], () => r.int(-2, 2)); // many ties
    return { attrs: { topK, nGroups, topGroups }, x: [scores] };
  },
  reorder(r) {
    const n = r.size(17), k = r.int(1, 5), rest = shapeOf(r, r.int(0, 2), 33), rows = n * k, order = r.permutation(rows);
    const wrong = r.int(0, 5) === 0 && rows > 0 ? [r.int(0, rows - 1), r.pick(-1, rows, 1 << 30)] : [];
    const ids = r.array([n, k], (i) => (i === wrong[0] ? wrong[1]! : order[i]!), 'i32');
    return { attrs: {}, x: [r.normal(n, k, ...rest), ids, r.array([n, k], (i) => order.indexOf(i), 'i32')] };
  },
  groupedLinear(r) {
    const { axes, offsets, e } = groups(r), transposed = r.chance(), format = transposed ? undefined : r.format(), m = r.some();
    const k = format === undefined ? r.some() : BLOCKS[format].values * r.int(1, 2);
    const weights = Array.from({ length: e }, () => (format === undefined ? r.normal(...(transposed ? [k, m] : [m, k])) : r.weight(format, m, k)));
    return { attrs: { transposed }, x: [r.normal(...axes, k), offsets, ...weights] };
  },
  groupedLinearGrad(r) {
    const { axes, offsets } = groups(r);
    return { attrs: {}, x: [r.normal(...axes, r.some()), r.normal(...axes, r.some()), offsets] };
  },
  gather(r) {
    const v = r.some(33), rest = shapeOf(r, r.int(0, 2), 33), ids = shapeOf(r, r.int(1, 2), 17), format = r.format();
    const table = format === undefined ? r.normal(v, ...rest) : r.weight(format, v, BLOCKS[format].values * r.int(1, 2));
    return { attrs: {}, x: [table, r.ints(ids, -2, v)] };
  },
  scatter(r) {
    const v = r.some(33), rest = shapeOf(r, r.int(0, 2), 33), n = r.size(65);
    return { attrs: { mode: r.pick('set', 'add') }, x: [r.normal(v, ...rest), r.ints([n], -1, v), r.normal(n, ...rest)] };
  },
  concat(r) {
    const shape = shapeOf(r, r.int(1, 3), 17), axis = r.int(0, shape.length - 1);
    const parts = Array.from({ length: r.int(1, 4) }, () => r.normal(...shape.map((dim, i) => (i === axis ? r.size(17) : dim))));
    return { attrs: { axis }, x: parts };
  },
  permute(r) {
    const shape = shapeOf(r, r.int(1, 5), 9);
    return { attrs: { perm: r.permutation(shape.length) }, x: [r.normal(...shape)] };
  },
  rmsNorm(r) {
    const c = r.some(), shape = [r.size(), ...r.pick([], [r.int(1, 5)]), c];
    return { attrs: { eps: r.pick(1e-5, 1e-6) }, x: [r.normal(...shape), r.normal(c)] };
  },
  rmsNormBackward(r) {
    const c = r.some(), shape = [r.size(), ...r.pick([], [r.int(1, 5)]), c], x = r.normal(...shape), weight = r.normal(c);
    const rstd = evaluateOp('rmsNorm', { eps: 1e-5 }, [x, weight])[1]!;
    return { attrs: {}, x: [x, weight, rstd, r.normal(...shape), r.maybe(() => r.normal(...shape))] };
  },
  layerNorm(r) {
    const n = r.size(), c = r.some();
    return { attrs: { eps: r.pick(1e-5, 1e-6) }, x: [r.normal(n, c), r.normal(c), r.maybe(() => r.normal(c))] };
  },
  layerNormBackward(r) {
    const n = r.size(), c = r.some(), x = r.normal(n, c), weight = r.normal(c);
    const [, mean, rstd] = evaluateOp('layerNorm', { eps: 1e-5 }, [x, weight, null]);
    return { attrs: {}, x: [x, weight, mean!, rstd!, r.normal(n, c), r.maybe(() => r.normal(n, c))] };
  },
  rope(r) {
    const n = r.size(33), h = r.int(1, 5), half = r.some(17), d = 2 * half + r.pick(0, 0, 3), t = r.some(65), table = () => r.normal(t, half);
    return { attrs: { inverse: r.chance(), interleaved: r.chance() }, x: [r.normal(n, h, d), r.ints([n], 0, t - 1), table(), table()] };
  },
  attention(r) {
    const { q, k, v, starts, attrs } = attentionOperands(r);
    return { attrs, x: [q, k, v, starts] };
  },
  attentionBackward(r) {
    const { q, k, v, starts, attrs } = attentionOperands(r), [n, h] = q.shape as [number, number], dv = v.shape[2]!;
    const [out, lse] = n === 0 ? [r.normal(0, h, dv), r.normal(0, h)] : evaluateOp('attention', attrs, [q, k, v, starts]);
    return { attrs, x: [q, k, v, starts, out!, lse!, r.normal(n, h, dv)] };
  },
  pagedAttention(r) {
    const n = r.size(17), kv = r.int(1, 3), h = kv * r.int(1, 4), d = r.some(33), dv = r.pick(d, r.some(17)), s = r.int(1, 4), l = r.some(65);
    const slots = r.permutation(s * l + 3), positions = r.ints([n], 0, l - 1), longest = Math.max(0, ...positions.data);
    // Positions that no token looks at have no row.
    const table = r.array([s, l], (i) => (i % l > longest ? -1 : slots[i]!), 'i32');
    return { attrs: r.attention(d), x: [r.normal(n, h, d), r.normal(slots.length, kv, d), r.normal(slots.length, kv, dv), table, r.ints([n], 0, s - 1), positions] };
  },
  linearCrossEntropy(r) {
    const n = r.size(), c = r.some(49), v = r.some();
    return { attrs: { softcap: r.pick(0, 0, 3) }, x: [r.normal(n, c), r.normal(v, c), r.ints([n], -1, v - 1)] };
  },
  linearCrossEntropyGrad(r) {
    const n = r.size(), c = r.some(49), v = r.some();
    return { attrs: { softcap: r.pick(0, 0, 3) }, x: [r.normal(n, c), r.normal(v, c), r.ints([n], -1, v - 1), r.normal(n), r.maybe(() => r.normal(v, c))] };
  },
  adamw(r) {
    const shape = shapeOf(r, r.int(1, 3), 33), one = (value: number, dtype: DType = 'f32') => r.array([1], () => value, dtype);
    const attrs = { beta1: 0.9, beta2: r.pick(0.95, 0.999), eps: 1e-8, weightDecay: r.pick(0, 0.1) };
    const moments = [r.normal(...shape), r.array(shape, () => r.uniform())];
    return { attrs, x: [r.normal(...shape), r.normal(...shape), ...moments, one(1e-2), one(r.int(1, 1000), 'i32'), one(r.pick(1, 0.25))] };
  },
  dequantise(r) {
    const format = r.pick(...FORMATS);
    return { attrs: {}, x: [r.weight(format, r.some(49), BLOCKS[format].values * r.int(1, 3))] };
  },
  quantise(r) {
    const format = r.pick(...QUANTISED), scale = r.pick(1e-30, 1e-3, 1, 1e4), flat = r.int(0, 3) === 0;
    const x = r.array([r.some(9), BLOCKS[format].values * r.int(1, 5)], () => (flat ? r.pick(0, scale) : scale * r.uniform() * r.pick(1, -1)));
    return { attrs: { format }, x: [x] };
  },
  globalNorm: (r) => ({ attrs: {}, x: Array.from({ length: r.int(1, 5) }, () => r.normal(...shapeOf(r, r.int(1, 2), 100))) }),
};

function attentionOperands(r: Draw) {
  const n = r.size(r.pick(33, 33, 100)), kv = r.int(1, 2), h = kv * r.int(1, 3), d = r.some(33), dv = r.pick(d, d, r.some(17));
  return { q: r.normal(n, h, d), k: r.normal(n, kv, d), v: r.normal(n, kv, dv), starts: r.starts(n), attrs: r.attention(d) };
}
