// The nouns of the compiler: tensors are nodes of a graph of pure operators; state is read at the start of a run and
// written at its end. Layer: core. See docs/architecture.md, "Graph".

import { DTYPE_BYTES, type DType } from './dtype.ts';
import type { OpAttrs, OpName } from './op-attrs.ts';

/** A bounded axis: planned at `max`, run at what is there. Only a leading axis may be bounded. */
export interface Bound {
  readonly dim: string;
  readonly max: number;
}

export type Dim = number | Bound;
export type Shape = readonly Dim[];

/** Shape and element type. */
export interface Meta {
  readonly shape: Shape;
  readonly dtype: DType;
}

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

/** How a State starts. `normal` and `uniform` draw from the stream named by the State's id. */
export type Init =
  | { readonly kind: 'zeros' | 'ones' }
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'values'; readonly values: () => Float32Array };

/** What a State is for: it decides what is saved, what is counted where, and what an aborted run may leave behind. */
export type StateRole = 'parameter' | 'gradient' | 'moment' | 'cache' | 'buffer';

/** A tensor that outlives a run. One State for each tensor of a checkpoint. */
export interface State {
  readonly id: string;
  readonly meta: Meta;
  readonly role: StateRole;
  readonly init: Init;
  readonly trainable: boolean;
}

/** A computation: named inputs and outputs, and the states that it writes. */
export interface Graph {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly writes: readonly (readonly [State, Tensor])[];
}

/** The largest value of an axis. */
export function maxOf(dim: Dim): number {
  return typeof dim === 'number' ? dim : dim.max;
}

export function sameDim(a: Dim, b: Dim): boolean {
  return typeof a === 'number' || typeof b === 'number' ? a === b : a.dim === b.dim && a.max === b.max;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}

/** Number of elements, bounded axes at their maximum. */
export function sizeOf(shape: Shape): number {
  return shape.reduce<number>((n, dim) => n * maxOf(dim), 1);
}

/** Bytes, bounded axes at their maximum. */
export function bytesOf(meta: Meta): number {
  return sizeOf(meta.shape) * DTYPE_BYTES[meta.dtype];
}

/** `[tokens≤512, 384]`, for messages and printed graphs. */
export function showShape(shape: Shape): string {
  return `[${shape.map((dim) => (typeof dim === 'number' ? dim : `${dim.dim}≤${dim.max}`)).join(', ')}]`;
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
