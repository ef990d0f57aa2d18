import { describe, expect, it } from 'vitest';
import { GraphBuilder, copyNode, countUses, evaluateGraph, nodesOf, rebuild, type Graph, type NDArray, type State } from '../../src/core/index.ts';

const nd = (...data: number[]): NDArray => ({ shape: [data.length], data: Float64Array.from(data) });
const weight: State = { id: 'w', meta: { shape: [2], dtype: 'f32' }, role: 'parameter', init: { kind: 'zeros' }, trainable: true };

/** y = (x·w + 1)², and w ← y. */
function example(): Graph {
  const b = new GraphBuilder(), x = b.input('x', { shape: [2], dtype: 'f32' });
  b.input('unread', { shape: [3], dtype: 'i32' });
  const inner = b.within('block', () => b.call('fma', x, b.state(weight), b.fill(1, [2])));
  const y = b.call('square', inner);
  return b.finish({ y }, [[weight, y]]);
}

const values = (graph: Graph) => evaluateGraph(graph, { x: nd(1, 2), unread: nd(0, 0, 0) }, { w: nd(3, 4) });

describe('rebuild()', () => {
  it('makes an equal graph when nothing is changed: values, scopes, unread inputs, writes', () => {
    const graph = example(), copy = rebuild(graph, () => null);
    expect(values(copy)).toEqual(values(graph));
    expect(nodesOf(copy).map(({ op, scope }) => `${op} ${scope}`)).toEqual(nodesOf(graph).map(({ op, scope }) => `${op} ${scope}`));
    expect(Object.keys(copy.inputs)).toEqual(['x', 'unread']);
    expect(copy.writes.map(([state]) => state)).toEqual([weight]);
    expect(nodesOf(copy).some((node) => nodesOf(graph).includes(node))).toBe(false);
  });

  it('visits with inputs that were rebuilt before, in the scope of the node', () => {
    const graph = example(), scopes: string[] = [];
    const changed = rebuild(graph, (b, node, inputs) => {
      scopes.push(b.scope);
      return node.op === 'fill' ? [b.fill(10, [2])] : copyNode(b, node, inputs);
    });
    expect([...values(changed).outputs['y']!.data]).toEqual([13 ** 2, 18 ** 2]);
    expect(scopes).toContain('block');
  });

  it('lets a visit put a node off and make it later', () => {
    const graph = example(), put = nodesOf(graph).find(({ scope, op }) => scope === 'block' && op === 'map')!;
    let operands: Parameters<typeof copyNode>[2] = [];
    let late: ReturnType<typeof copyNode> = [];
    const changed = rebuild(graph, (b, node, inputs) => {
      if (node === put) {
        operands = inputs;
        return node.outs.map(() => undefined as never);
      }
      if (node.inputs[0]?.node !== put) return null;
      late = copyNode(b, put, operands);
      return copyNode(b, node, late);
    }, (node, index) => (node === put ? late[index] : undefined));
    expect(values(changed)).toEqual(values(graph));
  });
});

describe('countUses()', () => {
  it('counts operands, outputs and writes', () => {
    const graph = example(), uses = countUses(graph), y = graph.outputs['y']!;
    expect(uses.get(y)).toBe(2);
    expect(uses.get(graph.inputs['x']!)).toBe(1);
    expect(uses.get(graph.inputs['unread']!)).toBeUndefined();
  });
});

describe('nodesOf()', () => {
  it('is a topological order without what nothing needs, for graphs of any depth', () => {
    const b = new GraphBuilder();
    let t = b.input('x', { shape: [1], dtype: 'f32' });
    b.fill(3, [1]); // nobody reads it
    for (let i = 0; i < 20_000; i++) t = b.call('neg', t);
    const nodes = nodesOf(b.finish({ t })), at = new Map(nodes.map((node, i) => [node, i]));
    expect(nodes.length).toBe(20_001);
    for (const node of nodes) for (const input of node.inputs) expect(at.get(input!.node)!).toBeLessThan(at.get(node)!);
  });
});
