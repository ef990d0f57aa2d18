// What operators promise beside values and gradients, by walking the table: shapes, codecs, views, addends, covers.

import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { bytesMoved, GraphBuilder, REFERENCE_TARGET, evaluateOp, opOf, opTable, opTableHash, OP_NAMES, sizeOf, type Meta, type TypedArrayND } from '../../src/core/index.ts';
import { cases, distance, normals, operands, scaleOf, type Case } from './samples.ts';

const all = cases(), titled = (list: readonly Case[]) => list.map((c) => [c.title, c] as const);
const evaluate = (c: Case, x: readonly (TypedArrayND | null)[]) => evaluateOp(c.op, c.sample.attrs as never, x);

const computed = new Map<string, TypedArrayND[]>();

/** The values of a sample, computed once. */
function valuesOf(c: Case): TypedArrayND[] {
  if (!computed.has(c.title)) computed.set(c.title, evaluate(c, operands(c)));
  return computed.get(c.title)!;
}
const metaOf = ({ shape, dtype }: Meta): Meta => ({ shape, dtype });

describe('opTable()', () => {
  it('has opcodes 0, 1, 2, … and kernels for all that is not a view or a source', () => {
    expect(opTable().map(({ opcode }) => opcode)).toEqual(OP_NAMES.map((_, i) => i));
    for (const { name, kernel } of opTable()) expect(kernel).toBe(['primitive', 'named'].includes(opOf(name).kind));
    expect(opTableHash()).toBeGreaterThan(0n);
  });
});

describe('rules', () => {
  it.each(titled(all))('%s: values have the inferred shapes', (_title, c) => {
    const x = operands(c), metas = opOf(c.op).infer(c.sample.attrs, x.map((array) => array && metaOf(array)));
    const y = valuesOf(c);
    expect(y.map(({ shape }) => shape)).toEqual(metas.map(({ shape }) => shape));
    y.forEach(({ data, shape }) => expect(data.length).toBe(sizeOf(shape)));
  });

  const coded = all.filter(({ op }) => opOf(op).kind !== 'source');
  it.each(titled(coded))('%s: attributes survive the program format', (_title, c) => {
    const x = operands(c), { attrs } = opOf(c.op), y = valuesOf(c), numbers = attrs.encode(c.sample.attrs);
    const decoded = attrs.decode(numbers, x, y.map(metaOf));
    expect(attrs.encode(decoded)).toEqual(numbers);
    evaluateOp(c.op, decoded as never, x).forEach(({ data }, i) => expect(distance(data, y[i]!.data)).toBe(0));
  });

  it.each(titled(all))('%s: costs are finite and not negative', (_title, c) => {
    const x = operands(c), rules = opOf(c.op), y = rules.infer(c.sample.attrs, x);
    for (const cost of [rules.flops(c.sample.attrs, x, y), bytesMoved(c.op, c.sample.attrs, x, y), rules.workspace?.(c.sample.attrs, x, y, REFERENCE_TARGET) ?? 0]) {
      expect(Number.isInteger(cost) && cost >= 0, String(cost)).toBe(true);
    }
  });

  it.each(titled(all.filter(({ op }) => opOf(op).inPlace !== undefined)))('%s: what is taken over has the type of the result', (_title, c) => {
    const x = operands(c), y = valuesOf(c);
    for (const [input, output] of opOf(c.op).inPlace!) expect(metaOf(y[output]!)).toEqual(metaOf(x[input]!));
  });
});

describe('views', () => {
  it.each(titled(all.filter(({ op }) => opOf(op).kind === 'view')))('%s: its window on any rows shows its values', (_title, c) => {
    const rules = opOf(c.op), [x] = operands(c), y = valuesOf(c);
    if (rules.kind !== 'view') throw new Error('unreachable');
    const [rows = 1, ...rest] = x!.shape as number[], row = rest.reduce((n, dim) => n * dim, 1);
    for (const stride0 of [row, row + 3]) {
      const memory = new Float64Array(rows * stride0).fill(Number.NaN);
      for (let i = 0; i < rows; i++) memory.set(x!.data.subarray(i * row, (i + 1) * row), i * stride0);
      y.forEach((part, index) => {
        const window = rules.view(c.sample.attrs, { meta: metaOf(x!), stride0 }, metaOf(part), index);
        if (window === null) return expect(stride0, 'contiguous rows always have one').not.toBe(row);
        const [n = 1, ...inner] = part.shape, width = inner.reduce((a, b) => a * b, 1);
        const seen = Float64Array.from({ length: n * width }, (_, i) => memory[window.offset + Math.floor(i / width) * window.stride0 + (i % width)]!);
        expect(distance(seen, part.data)).toBe(0);
      });
    }
  });
});

describe('fusion rules', () => {
  /** The operand that is added, where it is optional: with it, the result is the sum. */
  const adding = all.filter(({ op, sample }) => {
    const { addend } = opOf(op);
    return addend !== undefined && !(op === 'scatter' && (sample.attrs as { mode: string }).mode === 'set');
  });
  it.each(titled(adding))('%s: its addend is added to the output that it names', (_title, c) => {
    const { input, to } = opOf(c.op).addend!, x = operands(c);
    while (x.length <= input) x.push(null);
    const needed = opOf(c.op).inPlace?.some(([taken]) => taken === input) === true;
    const nothing = x.map((array, i) => (i === input ? (needed ? { ...array!, data: new Float64Array(array!.data.length) } : null) : array));
    const alone = evaluate(c, nothing), added = normals(alone[to]!.shape, new Random(4, c.title));
    const both = evaluate(c, nothing.map((array, i) => (i === input ? added : array)));
    both.forEach(({ data }, k) => {
      const expected = k === to ? alone[k]!.data.map((v, i) => v + added.data[i]!) : alone[k]!.data;
      expect(distance(data, expected)).toBeLessThan(1e-13 * scaleOf(data));
    });
  });

  const covering = all.filter(({ op }) => opOf(op).covers !== undefined);
  it.each(titled(covering))('%s: it computes the outputs of what it covers', (_title, c) => {
    const { op, inputs, outs } = opOf(c.op).covers!, x = operands(c), y = valuesOf(c);
    const covered = evaluateOp(op, c.sample.attrs as never, inputs.map((i) => x[i]!));
    outs.forEach((from, i) => expect(distance(covered[i]!.data, y[from]!.data)).toBe(0));
  });

  it.each(titled(all.filter(({ op }) => opOf(op).kind === 'named')))('%s: bf16 operands decompose too', (_title, c) => {
    const rules = opOf(c.op), b = new GraphBuilder();
    if (rules.kind !== 'named') throw new Error('unreachable');
    const lower = (meta: Meta): Meta => ({ shape: meta.shape, dtype: meta.dtype === 'f32' && rules.compute !== undefined ? 'bf16' : meta.dtype });
    const x = operands(c).map((array, i) => array && b.input(String(i), rules.compute?.inputs.includes(i) ? lower(array) : metaOf(array)));
    const outs = rules.infer(c.sample.attrs, x);
    expect(rules.decompose(b, c.sample.attrs, x).map(({ shape }) => shape)).toEqual(outs.map(({ shape }) => shape));
  });
});
