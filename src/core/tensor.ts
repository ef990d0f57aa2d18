// The nouns of the compiler: tensors are nodes of a graph of pure operators; state is read at the start of a run and
// written at its end. Layer: core. See docs/architecture.md, "Graph".

import type { OpAttrs, OpName } from './op-attrs.ts';
import type { Meta } from './shape.ts';
import type { State } from './state.ts';

/** One application of an operator. Ids grow in order of creation, so sorting by id is a topological order. */
export interface Node<K extends OpName = OpName> {
  readonly id: number;
  readonly op: K;
  readonly attrs: OpAttrs[K];
  readonly inputs: readonly (Tensor | null)[];
  readonly outs: readonly Tensor[];
  /** Dotted path of the module that made it (`blocks.0.attn`). */
  readonly scope: string;
}

/** One output of a node: `node.outs[index]`, and the only object that stands for it. */
export interface Tensor extends Meta {
  readonly node: Node;
  readonly index: number;
}

/** A computation: named inputs and outputs, and the states that it writes. */
export interface Graph {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly writes: readonly (readonly [State, Tensor])[];
}

/** The nodes that the outputs and writes of a graph need, in order of creation. */
export function nodesOf(graph: Pick<Graph, 'outputs' | 'writes'>): Node[] {
  const seen = new Set<Node>();
  const stack = [...Object.values(graph.outputs), ...graph.writes.map(([, value]) => value)].map((t) => t.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) if (input !== null) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The State that a `state` node reads, or undefined for any other node. */
export function stateOf(node: Node): State | undefined {
  return node.op === 'state' ? (node.attrs as OpAttrs['state']).state : undefined;
}
