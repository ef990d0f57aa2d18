// fuse: fewer instructions, each reading and writing its data once.
// 1. An operator whose outputs another one computes too is that other one (`covers`).
// 2. A sum after an operator that can add (`addend`) moves into it: residuals, sums of gradients, accumulation.
// 3. A narrowing cast after an operator that can write the narrow type (`castable`) moves into it.
// 4. Chains of elementwise operators become one expression.

import type { GraphBuilder } from '../graph-builder.ts';
import { ExpressionBuilder, type Expression } from '../expression.ts';
import type { OpAttrs } from '../op-attrs.ts';
import { opOf } from '../op-table.ts';
import { countUses, rebuild } from '../rebuild.ts';
import type { Inputs } from '../op.ts';
import { sameShape } from '../shape.ts';
import { nodesOf, stateOf, type Graph, type Node, type Tensor } from '../tensor.ts';

export function fuse(graph: Graph): Graph {
  return fuseMaps(fuseCasts(fuseAddends(fuseCovered(graph))));
}

/** Nodes that `node` depends on, itself included. */
function ancestors(node: Node): Set<Node> {
  const seen = new Set<Node>(), stack = [node];
  while (stack.length > 0) {
    const next = stack.pop()!;
    if (seen.has(next)) continue;
    seen.add(next);
    for (const t of next.inputs) if (t !== null) stack.push(t.node);
  }
  return seen;
}

function fuseCovered(graph: Graph): Graph {
  const nodes = nodesOf(graph), coveredBy = new Map<Node, Node>();
  for (const node of nodes) {
    const { covers } = opOf(node.op);
    if (covers === undefined) continue;
    const twin = nodes.find((other) => other.op === covers.op && JSON.stringify(other.attrs) === JSON.stringify(node.attrs) && other.inputs.every((t, i) => t === node.inputs[covers.inputs[i]!]));
    if (twin !== undefined && !ancestors(node).has(twin)) coveredBy.set(twin, node);
  }
  if (coveredBy.size === 0) return graph;
  // What used the twin now waits for the larger operator: renumber by visiting in an order that respects it.
  const substituted = new Map<Node, Node>();
  const outputOf = (t: Tensor): Tensor => {
    const cover = coveredBy.get(t.node);
    return cover === undefined ? again(t.node)[t.index]! : again(cover)[opOf(cover.op).covers!.outs[t.index]!]!;
  };
  let nextId = 0;
  const again = (node: Node): readonly Tensor[] => {
    let copy = substituted.get(node);
    if (copy === undefined) {
      const inputs = node.inputs.map((t) => t && outputOf(t)), outs: Tensor[] = [];
      copy = { ...node, id: nextId++, inputs, outs };
      node.outs.forEach((t, index) => outs.push({ ...t, node: copy!, index }));
      substituted.set(node, copy);
    }
    return copy.outs;
  };
  for (const t of Object.values(graph.inputs)) again(t.node);
  for (const node of nodes) if (!coveredBy.has(node)) { for (const t of node.outs) outputOf(t); }
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, outputOf(t)]));
  const inputs = Object.fromEntries(Object.entries(graph.inputs).map(([name, t]) => [name, outputOf(t)]));
  return { inputs, outputs, writes: graph.writes.map(([state, t]) => [state, outputOf(t)] as const) };
}

/** Whether a node is x + y of equal shapes, nothing else. */
function isSum(node: Node): boolean {
  if (node.op !== 'map' || node.inputs.length !== 2 || node.outs.length !== 1 || node.outs[0]!.dtype !== 'f32') return false;
  const { expression: { code, outs } } = node.attrs as OpAttrs['map'];
  const [add] = code;
  return code.length === 1 && add!.fn === 'add' && add!.args[0] !== add!.args[1] && outs[0] === 2 && node.inputs.every((t) => sameShape(t!.shape, node.outs[0]!.shape));
}

/** Whether an addend slot is free: absent, or a constant zero. */
const isFree = (t: Tensor | null | undefined): boolean => t === null || t === undefined || (t.node.op === 'fill' && (t.node.attrs as OpAttrs['fill']).value === 0);

/** Repeats until no sum can move: a sum of sums moves one operator at a time. */
function fuseAddends(graph: Graph): Graph {
  let fused = graph;
  for (;;) {
    const moves = addendMoves(fused);
    if (moves.size === 0) return fused;
    fused = moveAddends(fused, moves);
  }
}

/** Sums that can move into one of their operands' operators, by sum; each operator takes one. */
function addendMoves(graph: Graph): Map<Node, Tensor> {
  const uses = countUses(graph), nodes = nodesOf(graph), moves = new Map<Node, Tensor>(), taken = new Set<Node>();
  const firstUse = new Map<Node, number>(); // of any output but the one that is added to
  for (const node of nodes) {
    for (const t of node.inputs) {
      if (t !== null && t.index !== opOf(t.node.op).addend?.to && !firstUse.has(t.node)) firstUse.set(t.node, node.id);
    }
  }
  for (const node of nodes.filter(isSum)) {
    const candidates = (node.inputs as Tensor[]).filter((t) => {
      const rule = opOf(t.node.op).addend;
      return rule !== undefined && rule.to === t.index && rule.when?.(t.node.attrs) !== false && isFree(t.node.inputs[rule.input]) && uses.get(t) === 1
        && (t.dtype === 'f32' || opOf(t.node.op).castable?.includes(t.index) === true) && !taken.has(t.node) && (firstUse.get(t.node) ?? Infinity) > node.id;
    });
    // The later one: it can wait for the other, and most often the other is what its memory comes from.
    const chosen = candidates.sort((a, b) => b.node.id - a.node.id)[0];
    const other = node.inputs.find((t) => t !== chosen);
    if (chosen === undefined || taken.has(other!.node)) continue;
    if (takesOver(chosen) && !(uses.get(other!) === 1 && isOwn(other!, graph))) continue;
    moves.set(node, chosen);
    taken.add(chosen.node);
  }
  return moves;
}

/** Whether an operator works in the memory of its addend. */
function takesOver({ node: { op } }: Tensor): boolean {
  const { addend, inPlace = [] } = opOf(op);
  return inPlace.some(([input]) => input === addend?.input);
}

/** Whether memory may be written to: that of a computed value, or of a State which the graph says it writes. */
function isOwn({ node }: Tensor, graph: Graph): boolean {
  const { kind } = opOf(node.op), state = stateOf(node);
  return kind === 'primitive' || kind === 'named' || graph.writes.some(([{ id }]) => id === state?.id);
}

function moveAddends(graph: Graph, moves: ReadonlyMap<Node, Tensor>): Graph {
  const waiting = new Set([...moves.values()].map((t) => t.node));
  const made = new Map<Node, readonly Tensor[]>();
  const operands = new Map<Node, Inputs>();
  return rebuild(graph, (b, node, inputs) => {
    if (waiting.has(node)) {
      operands.set(node, inputs);
      return node.outs.map(() => undefined as never); // made where the sum stood; nobody asks before
    }
    const into = moves.get(node);
    if (into === undefined) return null;
    const { addend } = opOf(into.node.op), addition = inputs.find((_, i) => node.inputs[i] !== into)!;
    const filled = [...operands.get(into.node)!];
    while (filled.length <= addend!.input) filled.push(null);
    filled[addend!.input] = addition;
    // The sum is f32: what would have been rounded to bf16 before it no longer is.
    const outs = b.apply(into.node.op, into.node.attrs, filled, into.node.outs.map((t) => (t === into ? node.outs[0]!.dtype : t.dtype)));
    made.set(into.node, outs);
    return [outs[into.index]!];
  }, (node, index) => made.get(node)?.[index]);
}

/** A cast that is the only use of what an operator writes, where the operator can write the other type itself. */
function fuseCasts(graph: Graph): Graph {
  const uses = countUses(graph), narrowed = new Map<Tensor, Tensor>();
  for (const node of nodesOf(graph)) {
    const [source] = node.inputs, [out] = node.outs;
    if (node.op !== 'map' || node.inputs.length !== 1 || node.outs.length !== 1 || source!.dtype !== 'f32' || out!.dtype !== 'bf16') continue;
    const { expression: { code, outs } } = node.attrs as OpAttrs['map'];
    const castable = opOf(source!.node.op).castable?.includes(source!.index) === true;
    if (code.length === 0 && outs[0] === 0 && castable && uses.get(source!) === 1) narrowed.set(source!, out!);
  }
  if (narrowed.size === 0) return graph;
  return rebuild(graph, (b, node, inputs) => {
    if (node.outs.some((t) => narrowed.has(t))) {
      return b.apply(node.op, node.attrs, inputs, node.outs.map((t) => narrowed.get(t)?.dtype ?? t.dtype));
    }
    const isCast = node.inputs[0] && narrowed.get(node.inputs[0]) === node.outs[0];
    return isCast ? [inputs[0]!] : null;
  });
}

/** Operands and functions of one instruction beyond which its tiles no longer fit the first-level cache. */
const MAX_OPERANDS = 12, MAX_FUNCTIONS = 100;

function fuseMaps(graph: Graph): Graph {
  const uses = countUses(graph);
  const usedOnce = (t: Tensor): boolean => t.node.outs.every((out) => (out === t ? uses.get(t) === 1 : !uses.has(out)));
  return rebuild(graph, (b, node, inputs) => {
    if (node.op !== 'map') return null;
    const shape = node.outs[0]!.shape;
    const inlined = node.inputs.map((t) => t!.node.op === 'map' && t!.dtype === 'f32' && usedOnce(t!) && sameShape(t!.shape, shape));
    return inlined.some(Boolean) ? composed(b, node as Node<'map'>, inputs as readonly Tensor[], inlined) : null;
  });
}

/** The node's expression with those of some operands inside it, or null if it had too many operands then. */
function composed(b: GraphBuilder, node: Node<'map'>, inputs: readonly Tensor[], inlined: readonly boolean[]): Tensor[] | null {
  const operands = [...new Set(inputs.flatMap((t, i) => (inlined[i] ? (t.node.inputs as Tensor[]) : [t])))];
  if (operands.length > MAX_OPERANDS) return null;
  const e = new ExpressionBuilder(operands.length);
  const refs = inputs.map((t, i) => {
    if (!inlined[i]) return operands.indexOf(t);
    const inner: Expression = (t.node.attrs as OpAttrs['map']).expression;
    return e.inline(inner, t.node.inputs.map((source) => operands.indexOf(source!)))[t.index]!;
  });
  const whole = e.finish(e.inline(node.attrs.expression, refs));
  if (whole.code.length > MAX_FUNCTIONS) return null;
  return b.apply('map', { expression: whole, dtypes: node.attrs.dtypes, shape: node.outs[0]!.shape }, operands, node.outs.map(({ dtype }) => dtype));
}
