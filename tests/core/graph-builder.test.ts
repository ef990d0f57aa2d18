import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../src/base/errors.ts';
import { GraphBuilder, nodesOf, type Meta, type OpName, type State, type Tensor } from '../../src/core/index.ts';
import { cases } from '../conformance/samples.ts';

const f32 = (...shape: Meta['shape']): Meta => ({ shape, dtype: 'f32' });
const ids = (...shape: number[]): Meta => ({ shape, dtype: 'i32' });

/** A builder with these inputs. */
function given(...metas: (Meta | null)[]): { b: GraphBuilder; x: (Tensor | null)[] } {
  const b = new GraphBuilder();
  return { b, x: metas.map((meta, i) => meta && b.input(`x${i}`, meta)) };
}

/** The message of the error that applying an operator throws. */
function refusal(op: Parameters<GraphBuilder['apply']>[0], attrs: unknown, ...metas: (Meta | null)[]): string {
  const { b, x } = given(...metas);
  try {
    b.apply(op, attrs as never, x);
  } catch (error) {
    expect(error).toBeInstanceOf(ShapeError);
    expect((error as ShapeError).op).toBe(op);
    return (error as ShapeError).message;
  }
  return 'it was accepted';
}

describe('GraphBuilder', () => {
  it('apply() says which operator refuses which shapes, and why', () => {
    expect(refusal('linear', {}, f32(4, 3), f32(5, 2), null, null)).toBe(
      "Cannot build linear of f32[4, 3], f32[5, 2], –, –: the input's and the weight's last axes must agree, but they are [3] and [2].",
    );
    expect(refusal('matmul', { transA: true, transB: false }, f32(4, 3), f32(5, 2))).toMatch(/matmul of f32\[4, 3\], f32\[5, 2\]: the inner axes must agree.*\[4\] and \[5\]/);
    expect(refusal('map', { expression: { inputs: 2, code: [], outs: [0] }, dtypes: ['f32'] }, f32(4, 3), f32(2))).toMatch(/axis 1 is \[3\] in one operand and \[2\] in another/);
    expect(refusal('attention', { scale: 1, window: 0, softcap: 0 }, f32(4, 3, 8), f32(4, 2, 8), f32(4, 2, 8), ids(4))).toMatch(/3 query heads must be a multiple of 2 key heads/);
    expect(refusal('gather', {}, f32(4, 3), f32(2))).toMatch(/the row numbers must be i32/);
    expect(refusal('split', { axis: 1, sizes: [2, 2] }, f32(4, 3))).toMatch(/parts of 2 \+ 2 = 4 do not make up axis 1/);
    expect(refusal('split', { axis: 0, sizes: [2, 2] }, f32({ dim: 'tokens', max: 4 }, 3))).toMatch(/a bounded axis cannot be split/);
    expect(refusal('permute', { perm: [0, 0] }, f32(4, 3))).toMatch(/0, 0 is not an order of its axes/);
    expect(refusal('reshape', { shape: [5] }, f32(4, 3))).toMatch(/\[5\] has another number of elements/);
    expect(refusal('rmsNorm', { eps: 1e-5 }, f32(4, 3), f32(4))).toMatch(/operand 1 must be \[3\]/);
    expect(refusal('rope', { inverse: false, interleaved: false }, f32(4, 2, 6), ids(4), f32(9, 4), f32(9, 4))).toMatch(/turn more channels than there are/);
    expect(refusal('linearCrossEntropy', {}, f32(4, 3), f32(9, 3), f32(4))).toMatch(/the targets must be i32/);
    expect(refusal('adamw', { beta1: 0, beta2: 0, eps: 0, weightDecay: 0 }, f32(4), f32(4), f32(4), f32(5), f32(1), ids(1), f32(1))).toMatch(/operand 3 must be \[4\]/);
    expect(refusal('reduce', { kind: 'sum', axis: 2 }, f32(4, 3))).toMatch(/there is no axis 2/);
    expect(refusal('scatter', { mode: 'add' }, f32(4, 3), ids(2), f32(3, 3))).toMatch(/operand 2 must be \[2, 3\]/);
    expect(refusal('concat', { axis: 1 }, f32(4, 3), f32(5, 3))).toMatch(/axis 0 of operands 0 and 1 must agree/);
  });

  it('apply() names a bounded axis by name and maximum', () => {
    const tokens = { dim: 'tokens', max: 512 };
    expect(refusal('linear', {}, f32(tokens, 3), f32(5, 2), null, null)).toContain('f32[tokens≤512, 3]');
    const { b, x } = given(f32(tokens, 3), f32(5, 3));
    expect(b.one('linear', {}, [...x, null, null]).shape).toEqual([tokens, 5]);
    expect(refusal('map', { expression: { inputs: 2, code: [], outs: [0] }, dtypes: ['f32'] }, f32(tokens, 3), f32(512, 3))).toMatch(/axis 0 is/);
  });

  /** Operands that may be absent. */
  const OPTIONAL: Partial<Record<OpName, readonly number[]>> = {
    matmul: [2],
    linear: [2, 3],
    layerNorm: [2],
    rmsNormBackward: [4],
    layerNormBackward: [5],
    linearCrossEntropyGrad: [4],
  };

  it('apply() refuses every operator without an operand that it needs: a kernel would read nothing', () => {
    const accepted: string[] = [];
    for (const { op, sample, title } of cases()) {
      const metas = sample.inputs.map((input): Meta | null => input && { shape: input.shape, dtype: input.dtype ?? 'f32' });
      metas.forEach((meta, gone) => {
        if (meta === null || OPTIONAL[op]?.includes(gone)) return;
        const message = refusal(op, sample.attrs, ...metas.map((other, i) => (i === gone ? null : other)));
        if (!message.startsWith(`Cannot build ${op} of`)) accepted.push(`${title} without operand ${gone}`);
      });
    }
    expect(accepted).toEqual([]);
  });

  it('apply() overrides floating output types only', () => {
    const { b, x } = given(f32(4, 3), ids(2));
    expect(b.apply('gather', {}, x, ['bf16'])[0]!.dtype).toBe('bf16');
    expect(b.one('iota', { length: 3, dtype: 'i32' }, [], 'bf16').dtype).toBe('i32');
  });

  it('ids grow, inputs and states are made once, and a builder goes on with a graph', () => {
    const state: State = { id: 'w', meta: f32(2), role: 'parameter', init: { kind: 'zeros' }, trainable: true };
    const b = new GraphBuilder(), x = b.input('x', f32(2)), w = b.state(state), y = b.call('mul', x, w);
    expect(b.input('x', f32(2))).toBe(x);
    expect(b.state({ ...state })).toBe(w);
    const more = new GraphBuilder(b.finish({ y }));
    expect(more.input('x', f32(2))).toBe(x);
    expect(more.state(state)).toBe(w);
    const z = more.call('exp', y);
    expect(nodesOf(more.finish({ z })).map(({ id }) => id)).toEqual([0, 1, 2, 3]);
  });

  it('within() nests scopes and restores them after an error', () => {
    const b = new GraphBuilder();
    const inner = b.within('blocks.0', () => b.within('attn', () => b.fill(1, [2])));
    expect(inner.node.scope).toBe('blocks.0.attn');
    expect(() =>
      b.within('a', () => {
        throw new Error('inside');
      })
    ).toThrow('inside');
    expect(b.scope).toBe('');
  });

  it('cast(), broadcast() and reshape() do nothing where there is nothing to do', () => {
    const { b, x: [x] } = given(f32(2, 3));
    expect(b.cast(x!, 'f32')).toBe(x);
    expect(b.broadcast(x!, [2, 3])).toBe(x);
    expect(b.reshape(x!, [2, 3])).toBe(x);
    expect(b.cast(x!, 'bf16').dtype).toBe('bf16');
    expect(b.broadcast(x!, [4, 2, 3]).shape).toEqual([4, 2, 3]);
  });

  it('sumTo() refuses what is no reverse broadcast', () => {
    const { b, x: [x] } = given(f32(2, 3));
    expect(b.sumTo(x!, [1, 3]).shape).toEqual([1, 3]);
    expect(b.sumTo(x!, [3]).shape).toEqual([3]);
    expect(() => b.sumTo(x!, [2, 4])).toThrow(ShapeError);
  });

  it('call() takes numbers as constants and refuses a wrong number of arguments', () => {
    const { b, x: [x] } = given(f32(2));
    expect(b.call('fma', x!, 2, 1).node.inputs).toEqual([x]);
    expect(() => b.call('add', x!, 1, 2)).toThrow('Cannot call add with 3 arguments.');
    expect(() => b.call('add', x!)).toThrow(ShapeError);
  });
});
