import { describe, expect, it } from 'vitest';
import { ShapeError, UnsupportedOpError } from '../../src/base/errors.ts';
import { GraphBuilder, evaluateGraph, gradients, nodesOf, type NDArray, type Tensor } from '../../src/core/index.ts';

const nd = (shape: readonly number[], ...data: number[]): NDArray => ({ shape, data: Float64Array.from(data) });
const f32 = (...shape: number[]) => ({ shape, dtype: 'f32' as const });

/** Values of tensors for values of the builder's inputs. */
function valuesOf(b: GraphBuilder, tensors: readonly Tensor[], inputs: Record<string, NDArray>): number[][] {
  const outputs = Object.fromEntries(tensors.map((t, i) => [String(i), t]));
  const found = evaluateGraph(b.finish(outputs), inputs).outputs;
  return tensors.map((_, i) => [...found[String(i)]!.data]);
}

describe('gradients()', () => {
  it('adds up over all uses of a tensor', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(1)), y = b.call('exp', x);
    const loss = b.call('add', b.call('mul', y, y), b.call('mul', x, y)); // e^2x + x·e^x
    const [[d]] = valuesOf(b, gradients(b, loss, [x]), { x: nd([1], 0.5) }) as [[number]];
    expect(d).toBeCloseTo(2 * Math.exp(1) + 1.5 * Math.exp(0.5), 12);
  });

  it('counts an operand that is given twice twice', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(1, 1));
    const loss = b.one('matmul', { transA: false, transB: false }, [x, x, null]);
    expect(valuesOf(b, gradients(b, loss, [x]), { x: nd([1, 1], 3) })).toEqual([[6]]);
  });

  it('gives zeros of the right shape for what the loss does not use', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(2)), unused = b.input('unused', f32(2, 3));
    const [, d] = gradients(b, b.sumTo(x, [1]), [x, unused]);
    expect(d!.shape).toEqual([2, 3]);
    expect(valuesOf(b, [d!], { x: nd([2], 1, 2), unused: nd([2, 3], 1, 2, 3, 4, 5, 6) })).toEqual([[0, 0, 0, 0, 0, 0]]);
  });

  it('gives inner tensors a gradient too, and 1 for the loss itself', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(1)), inner = b.call('square', x), loss = b.call('mul', inner, 5);
    expect(valuesOf(b, gradients(b, loss, [inner, loss, x]), { x: nd([1], 3) })).toEqual([[5], [1], [30]]);
  });

  it('adds onto what it is given', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(2)), before = b.input('before', f32(2));
    const [d] = gradients(b, b.sumTo(b.call('square', x), [1]), [x], [before]);
    expect(valuesOf(b, [d!], { x: nd([2], 1, 2), before: nd([2], 100, 200) })).toEqual([[102, 204]]);
  });

  it('differentiates a second time: the second derivative of Σ sin(x)·x³', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(3));
    const y = b.call('mul', b.call('sin', x), b.call('mul', b.call('square', x), x));
    const [first] = gradients(b, b.sumTo(y, [1]), [x]);
    const [second] = gradients(b, b.sumTo(first!, [1]), [x]); // elementwise: the Hessian is diagonal
    const points = [0.3, -1.2, 2], [found] = valuesOf(b, [second!], { x: nd([3], ...points) });
    points.forEach((v, i) => expect(found![i]).toBeCloseTo(-Math.sin(v) * v ** 3 + 6 * v ** 2 * Math.cos(v) + 6 * v * Math.sin(v), 10));
  });

  it('sums over broadcast axes and keeps the shape of each operand', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(2, 3)), row = b.input('row', f32(3)), column = b.input('column', f32(2, 1));
    const y = b.call('fma', x, row, column), loss = b.sumTo(b.reshape(y, [6]), [1]);
    const found = gradients(b, loss, [x, row, column]);
    expect(found.map(({ shape }) => shape)).toEqual([[2, 3], [3], [2, 1]]);
    const inputs = { x: nd([2, 3], 1, 2, 3, 4, 5, 6), row: nd([3], 10, 20, 30), column: nd([2, 1], 0, 0) };
    expect(valuesOf(b, found, inputs)).toEqual([[10, 20, 30, 10, 20, 30], [5, 7, 9], [3, 3]]);
  });

  it('does not go into what no wanted tensor reaches', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(1)), other = b.input('other', f32(4));
    const norm = b.one('globalNorm', {}, [other]); // has no gradient, and needs none here
    const [d] = gradients(b, b.call('mul', x, norm), [x]);
    expect(valuesOf(b, [d!], { x: nd([1], 1), other: nd([4], 1, 1, 1, 1) })).toEqual([[2]]);
    expect(() => gradients(b, b.call('mul', x, norm), [other])).toThrow(UnsupportedOpError);
  });

  it('names the scope of an operator without a gradient, and keeps scopes for what it adds', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(4));
    const norm = b.within('clip', () => b.one('globalNorm', {}, [x]));
    expect(() => gradients(b, norm, [x])).toThrow('Cannot differentiate through "globalNorm" (clip): it has no gradient, on purpose.');
    const loss = b.within('head', () => b.sumTo(b.call('square', x), [1])), [d] = gradients(b, loss, [x]);
    expect(nodesOf(b.finish({ d: d! })).filter(({ op }) => op === 'map').every(({ scope }) => scope === 'head')).toBe(true);
  });

  it('refuses a loss of more than one element, saying its shape', () => {
    const b = new GraphBuilder(), x = b.input('x', f32(2, 3));
    expect(() => gradients(b, x, [x])).toThrow(ShapeError);
    expect(() => gradients(b, x, [x])).toThrow('Cannot differentiate [2, 3]: reduce it to one number first.');
  });
});
