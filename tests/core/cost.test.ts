import { describe, expect, it } from 'vitest';
import { compile, decodeProgram, GraphBuilder, mainType, REFERENCE_TARGET, WorkCounter, type Program, type State, type Work } from '../../src/core/index.ts';

// N ≤ 8 tokens, C channels, V rows of the table, S sequences, L positions of one, H heads, KV key heads, D head size
const C = 6, V = 40, S = 3, L = 10, H = 4, KV = 2, D = 8;
const n = { dim: 'tokens', max: 8 };

function state(id: string, shape: number[], role: State['role'] = 'parameter'): State {
  return { id, meta: { shape, dtype: 'f32' }, role, init: { kind: 'zeros' }, trainable: false };
}

/** The only instruction of a program, counted. */
function workOf(program: Program, dims: number[], inputs: Record<string, Int32Array | Float32Array>): Work {
  const found = new WorkCounter(decodeProgram(program.bytes)).count(dims, Object.keys(program.inputs).map((name) => inputs[name]!));
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('mainType()', () => {
  it('names a product after its blocks, however many activations there are', () => {
    const b = new GraphBuilder(), w: State = { ...state('w', [4, 32]), meta: { shape: [4, 32], dtype: 'q8_0' } };
    const program = compile(b.finish({ y: b.one('linear', {}, [b.input('x', { shape: [n, 32], dtype: 'f32' }), b.state(w), null, null]) }), { target: { ...REFERENCE_TARGET, backend: 'native' } });
    const linear = decodeProgram(program.bytes).instructions.find(({ op }) => op === 'linear')!;
    expect(mainType(linear, [8])).toBe('q8_0');
  });
});

describe('WorkCounter', () => {
  it('counts a product at the rows that are there, not at the most', () => {
    const b = new GraphBuilder(), x = b.input('x', { shape: [n, C], dtype: 'f32' });
    const program = compile(b.finish({ y: b.one('linear', {}, [x, b.state(state('w', [V, C])), null, null]) }), { target: REFERENCE_TARGET });
    const at = (rows: number): Work => workOf(program, [rows], { x: new Float32Array(8 * C) });
    expect(at(8)).toEqual({ flops: program.plan.flops, bytes: program.plan.bytesMoved });
    expect(at(3)).toEqual({ flops: 2 * 3 * C * V, bytes: 4 * (3 * C + V * C + 3 * V) });
    expect(at(0)).toEqual({ flops: 0, bytes: 4 * V * C });
  });

  it('counts the rows of a table that are read, not the table', () => {
    const b = new GraphBuilder(), ids = b.input('ids', { shape: [n], dtype: 'i32' });
    const program = compile(b.finish({ y: b.one('gather', {}, [b.state(state('table', [V, C])), ids]) }), { target: REFERENCE_TARGET });
    expect(workOf(program, [5], { ids: new Int32Array(8) })).toEqual({ flops: 0, bytes: 4 * (5 + 5 * C + 5 * C) });
  });

  it('counts attention over a cache by the positions that are looked at, each sequence read once', () => {
    const b = new GraphBuilder(), ids = (name: string) => b.input(name, { shape: [n], dtype: 'i32' });
    const q = b.input('q', { shape: [n, H, D], dtype: 'f32' }), slotTable = b.input('slotTable', { shape: [S, L], dtype: 'i32' });
    const cache = (id: string) => b.state(state(id, [S * L, KV, D], 'cache'));
    const program = compile(b.finish({ y: b.one('pagedAttention', { scale: 1, window: 0, softcap: 0 }, [q, cache('k'), cache('v'), slotTable, ids('seqs'), ids('positions')]) }), { target: REFERENCE_TARGET });
    const inputs = { q: new Float32Array(8 * H * D), slotTable: new Int32Array(S * L), seqs: Int32Array.of(0, 0, 2), positions: Int32Array.of(3, 4, 9) };
    const keys = 4 + 5 + 10, rows = 5 + 10; // looked at by three tokens; of two sequences
    expect(workOf(program, [3], inputs)).toEqual({ flops: 2 * keys * H * 2 * D, bytes: 4 * (2 * 3 * H * D + rows * (2 * KV * D + 1)) });
  });

  it('counts packed attention by the documents of the run', () => {
    const b = new GraphBuilder(), part = (name: string, heads: number) => b.input(name, { shape: [8, heads, D], dtype: 'f32' });
    const starts = b.input('starts', { shape: [8], dtype: 'i32' });
    const program = compile(b.finish({ y: b.one('attention', { scale: 1, window: 0, softcap: 0 }, [part('q', H), part('k', KV), part('v', KV), starts]) }), { target: REFERENCE_TARGET });
    const rest = { q: new Float32Array(8 * H * D), k: new Float32Array(8 * KV * D), v: new Float32Array(8 * KV * D) };
    const flops = (of: number[]): number => workOf(program, [], { ...rest, starts: Int32Array.from(of) }).flops / (2 * H * 2 * D);
    expect(flops([0, 0, 0, 0, 0, 0, 0, 0])).toBe(36); // 1 + 2 + … + 8 keys
    expect(flops([0, 0, 0, 0, 4, 4, 4, 4])).toBe(20);
  });
});
