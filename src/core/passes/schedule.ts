// schedule: one order of execution. Nodes run in the order in which they were made, but whoever reads a value comes
// before the operator that takes over its memory.

import { opOf } from '../op-table.ts';
import { nodesOf, stateOf, type Graph, type Node, type Tensor } from '../tensor.ts';

/** All nodes of the graph, views and sources included, each after what it needs. */
export function schedule(graph: Graph): Node[] {
  const nodes = nodesOf(graph), before = new Map<Node, Set<Node>>(nodes.map((node) => [node, new Set<Node>()]));
  const readers = readersOf(nodes);
  for (const node of nodes) {
    for (const t of node.inputs) if (t !== null) before.get(node)!.add(t.node);
    for (const [input] of opOf(node.op).inPlace ?? []) {
      for (const reader of readers.get(node.inputs[input]!) ?? []) if (reader !== node) before.get(node)!.add(reader);
    }
  }
  const order: Node[] = [], state = new Map<Node, 'open' | 'done'>();
  for (const root of nodes) visit(root, before, state, order);
  return order;
}

/** Depth first, with a stack of its own: graphs of large models are deep. */
function visit(root: Node, before: ReadonlyMap<Node, ReadonlySet<Node>>, state: Map<Node, 'open' | 'done'>, order: Node[]): void {
  const stack = [root];
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!;
    if (state.get(node) === 'done') {
      stack.pop();
      continue;
    }
    const waiting = [...before.get(node)!].filter((other) => state.get(other) !== 'done' && state.get(other) !== 'open');
    if (waiting.length === 0 || state.get(node) === 'open') {
      state.set(node, 'done');
      order.push(node);
      stack.pop();
    } else {
      state.set(node, 'open');
      stack.push(...waiting.sort((a, b) => b.id - a.id));
    }
  }
}

/** Kernels that read a tensor, through views too. */
function readersOf(nodes: readonly Node[]): Map<Tensor, Node[]> {
  const readers = new Map<Tensor, Node[]>();
  const read = (t: Tensor, reader: Node): void => {
    if (!readers.has(t)) readers.set(t, []);
    readers.get(t)!.push(reader);
    if (opOf(t.node.op).kind === 'view') { for (const source of t.node.inputs) read(source!, reader); }
  };
  for (const node of nodes) if (opOf(node.op).kind !== 'view') { for (const t of node.inputs) if (t !== null) read(t, node); }
  return readers;
}

/** Whether a node only names memory: it is no instruction. */
export function isInstruction(node: Node): boolean {
  const { kind } = opOf(node.op);
  return kind !== 'view' && kind !== 'source' && stateOf(node) === undefined;
}
