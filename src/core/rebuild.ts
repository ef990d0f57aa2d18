// Rewriting a graph: every pass is a walk that makes the graph anew, node by node. Layer: core.

import type { OpAttrs } from './op-attrs.ts';
import { GraphBuilder } from './graph-builder.ts';
import type { Inputs } from './op.ts';
import { nodesOf, type Graph, type Node, type Tensor } from './tensor.ts';

/**
 * What becomes of a node whose inputs were already rebuilt: its new outputs, or null to copy it as it is.
 */
export type Visit = (b: GraphBuilder, node: Node, inputs: Inputs) => readonly Tensor[] | null;

/** Copies a node onto new inputs, keeping output types and scope. */
export function copyNode(b: GraphBuilder, node: Node, inputs: Inputs): Tensor[] {
  if (node.op === 'input') {
    const { name, meta } = node.attrs as OpAttrs['input'];
    return [b.input(name, meta)];
  }
  if (node.op === 'state') return [b.state((node.attrs as OpAttrs['state']).state)];
  return b.apply(node.op, node.attrs, inputs, node.outs.map(({ dtype }) => dtype));
}

/**
 * A graph made anew by visiting its nodes in order.
 *
 * @param late outputs of nodes that a visit put off and made later, by old node
 */
export function rebuild(graph: Graph, visit: Visit, late: (node: Node, index: number) => Tensor | undefined = () => undefined): Graph {
  const b = new GraphBuilder();
  for (const t of Object.values(graph.inputs)) copyNode(b, t.node, []);
  const made = new Map<Node, readonly Tensor[]>();
  const now = (t: Tensor): Tensor => late(t.node, t.index) ?? made.get(t.node)![t.index]!;
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((t) => (t === null ? null : now(t)));
    made.set(node, inScope(b, node.scope, () => visit(b, node, inputs) ?? copyNode(b, node, inputs)));
  }
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, now(t)]));
  return b.finish(outputs, graph.writes.map(([state, t]) => [state, now(t)] as const));
}

/** Runs `body` in an absolute scope (a builder at its root). */
export function inScope<T>(b: GraphBuilder, scope: string, body: () => T): T {
  return scope === '' ? body() : b.within(scope, body);
}

/** How often each tensor is used, outputs and writes included. */
export function countUses(graph: Graph): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const use = (t: Tensor): void => void uses.set(t, (uses.get(t) ?? 0) + 1);
  for (const node of nodesOf(graph)) for (const t of node.inputs) if (t !== null) use(t);
  for (const t of Object.values(graph.outputs)) use(t);
  for (const [, t] of graph.writes) use(t);
  return uses;
}
