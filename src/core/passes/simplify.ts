// simplify: smaller graphs of the same values. Equal nodes become one, constants move into expressions, operands that an
// expression does not read vanish, casts that change nothing go, and widening casts are left to the kernels, which read
// bf16 as well as f32.

import type { GraphBuilder } from '../graph-builder.ts';
import { ExpressionBuilder, type Expression } from '../expression.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { opOf } from '../op-table.ts';
import { copyNode, rebuild } from '../rebuild.ts';
import type { Inputs } from '../op.ts';
import { sameShape } from '../shape.ts';
import { nodesOf, type Graph, type Node, type Tensor } from '../tensor.ts';

export function simplify(graph: Graph): Graph {
  const known = new Map<string, readonly Tensor[]>(), taken = takenOver(graph);
  return rebuild(graph, (b, node, inputs) => {
    const { kind, inPlace = [], castable } = opOf(node.op);
    if (kind === 'source') return null;
    // What only moves data needs its operand's type; what computes converts as it reads.
    const converts = kind === 'named' || castable !== undefined;
    const operands = inputs.map((t, i) => (t !== null && converts && !inPlace.some(([input]) => input === i) ? widened(t) : t));
    const key = keyOf(node, operands);
    // A node that takes over memory is not shared: its input is gone after it. Nor is that input, which only one can take.
    const isShared = inPlace.length === 0 && !taken.has(node), before = isShared ? known.get(key) : undefined;
    if (before !== undefined) return before;
    const made = node.op === 'map' ? simplifiedMap(b, node as Node<'map'>, operands) : copyNode(b, node, operands);
    if (isShared) known.set(key, made);
    return made;
  });
}

/** Nodes whose memory an operator takes over. */
function takenOver(graph: Graph): Set<Node> {
  return new Set(nodesOf(graph).flatMap((node) => (opOf(node.op).inPlace ?? []).map(([input]) => node.inputs[input]!.node)));
}

/** The source of a widening cast (bf16 → f32), or the tensor itself. */
function widened(t: Tensor): Tensor {
  if (t.node.op !== 'map' || t.dtype !== 'f32') return t;
  const { expression } = t.node.attrs as OpAttrs['map'], source = t.node.inputs[0];
  const identity = expression.inputs === 1 && expression.outs[t.index] === 0;
  return identity && source?.dtype === 'bf16' && sameShape(source.shape, t.shape) ? source : t;
}

/** Equal for nodes that compute the same. */
function keyOf(node: Node, inputs: Inputs): string {
  const operands = inputs.map((t) => (t === null ? '-' : `${t.node.id}.${t.index}`));
  return `${node.op} ${JSON.stringify(node.attrs, exact)} ${operands.join(' ')} ${node.outs.map(({ dtype }) => dtype).join(' ')}`;
}

/** JSON has no infinities, NaN or −0. */
function exact(_key: string, value: unknown): unknown {
  return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)) ? `number ${Object.is(value, -0) ? '-0' : value}` : value;
}

/** Folds constant operands into the expression, joins equal ones, drops what is not read. */
function simplifiedMap(b: GraphBuilder, node: Node<'map'>, inputs: Inputs): readonly Tensor[] {
  const { expression, dtypes } = node.attrs, shape = node.outs[0]!.shape;
  const read = new Set<number>([...expression.outs, ...expression.code.flatMap(({ args }) => args)]);
  const constant = (t: Tensor): number | undefined => (t.node.op === 'fill' ? (t.node.attrs as OpAttrs['fill']).value : undefined);
  const kept = [...new Set((inputs as readonly Tensor[]).filter((t, i) => read.has(i) && constant(t) === undefined))];
  const e = new ExpressionBuilder(kept.length);
  const bound = (inputs as readonly Tensor[]).map((t) => (kept.includes(t) ? kept.indexOf(t) : e.constant(constant(t) ?? 0)));
  const folded = e.finish(e.inline(expression, bound));
  if (kept.length === 0) return node.outs.map((t, i) => b.fill(folded.code[folded.outs[i]!]!.value!, shape, t.dtype));
  // An output that is an operand, unchanged, is that operand.
  const passed = folded.outs.map((ref, i) => (ref < kept.length && kept[ref]!.dtype === node.outs[i]!.dtype && sameShape(kept[ref]!.shape, shape) ? kept[ref]! : null));
  const computed = node.outs.flatMap((_, i) => (passed[i] === null ? [i] : []));
  if (computed.length === 0) return passed as Tensor[];
  const rest: Expression = { ...folded, outs: computed.map((i) => folded.outs[i]!) };
  const outs = b.apply('map', { expression: rest, dtypes: computed.map((i) => dtypes[i]!), shape }, kept, computed.map((i) => node.outs[i]!.dtype));
  return node.outs.map((_, i) => passed[i] ?? outs[computed.indexOf(i)]!);
}
