// rematerialise: values that are kept from the forward to the backward pass are computed a second time instead, the
// cheapest first, until the plan fits a budget (Chen et al. 2016, arXiv 1604.06174; greedy by bytes saved a FLOP, as in
// Kirisame et al. 2021, arXiv 2006.09616). Random numbers are data and every operator is pure, so no bit changes.

import { CapacityError } from '../../base/errors.ts';
import { opOf } from '../op-table.ts';
import { copyNode } from '../rebuild.ts';
import { GraphBuilder } from '../graph-builder.ts';
import type { Target } from '../target.ts';
import { bytesOf } from '../shape.ts';
import { nodesOf, type Graph, type Node, type Tensor } from '../tensor.ts';
import { planMemory } from './plan-memory.ts';
import { isInstruction, schedule } from './schedule.ts';

/** A gap in a value's uses during which its memory could serve others. */
interface Candidate {
  readonly node: Node;
  /** Uses with ids from here on read the copy. */
  readonly from: number;
  readonly gain: number;
}

/** @throws {CapacityError} where even the smallest plan is larger than the budget */
export function rematerialise(graph: Graph, target: Target, budget: number): Graph {
  const arena = (g: Graph): number => planMemory(g, schedule(g), target).arenaBytes;
  let best = graph, bytes = arena(graph);
  const tried = new Set<string>();
  while (bytes > budget) {
    const next = candidates(best).filter((c) => !tried.has(keyOf(c)));
    if (next.length === 0) {
      throw new CapacityError(`Cannot fit the step into ${budget} bytes: ${bytes} are needed even when everything that can be is computed twice. Use a smaller batch or context.`, { need: bytes, have: budget });
    }
    // Several at a time: planning is the costly part, and one value alone seldom moves the peak.
    const some = next.slice(0, Math.max(1, Math.ceil(next.length / 4)));
    for (const candidate of some) tried.add(keyOf(candidate));
    const changed = recompute(best, some), after = arena(changed);
    if (after < bytes) [best, bytes] = [changed, after];
  }
  return best;
}

const keyOf = ({ node, from }: Candidate): string => `${node.op} ${node.scope} ${node.outs.map(({ shape }) => shape.join('x')).join(' ')} ${from - node.id}`;

/** Values with a long gap between two uses, most bytes a FLOP first. */
function candidates(graph: Graph): Candidate[] {
  const nodes = nodesOf(graph), uses = new Map<Node, number[]>();
  const use = (t: Tensor, id: number): void => {
    if (opOf(t.node.op).kind === 'view') return use(t.node.inputs[0]!, id);
    if (!uses.has(t.node)) uses.set(t.node, []);
    uses.get(t.node)!.push(id);
  };
  for (const node of nodes) if (opOf(node.op).kind !== 'view') { for (const t of node.inputs) if (t !== null) use(t, node.id); }
  const outputs = new Set([...Object.values(graph.outputs), ...graph.writes.map(([, t]) => t)].map((t) => t.node));
  const span = nodes[nodes.length - 1]!.id - nodes[0]!.id;
  const found: Candidate[] = [];
  for (const node of nodes) {
    const at = (uses.get(node) ?? []).sort((a, b) => a - b);
    const inPlace = (opOf(node.op).inPlace?.length ?? 0) > 0;
    if (!isInstruction(node) || inPlace || outputs.has(node) || at.length < 2) continue;
    let from = 0, gap = 0;
    for (let i = 1; i < at.length; i++) if (at[i]! - at[i - 1]! > gap) [from, gap] = [at[i]!, at[i]! - at[i - 1]!];
    if (gap < span / 16) continue;
    const bytes = node.outs.reduce((sum, t) => sum + bytesOf(t), 0);
    const flops = opOf(node.op).flops(node.attrs, node.inputs, node.outs);
    found.push({ node, from, gain: (bytes * gap) / (flops + bytes) });
  }
  return found.sort((a, b) => b.gain - a.gain || a.node.id - b.node.id);
}

/** The graph with a second copy of each node, made right before its late uses. */
function recompute(graph: Graph, chosen: readonly Candidate[]): Graph {
  const late = new Map(chosen.map(({ node, from }) => [node, from]));
  const b = new GraphBuilder();
  for (const t of Object.values(graph.inputs)) copyNode(b, t.node, []);
  const early = new Map<Node, readonly Tensor[]>(), again = new Map<Node, readonly Tensor[]>();
  const at = (t: Tensor, id: number): Tensor => {
    const from = late.get(t.node);
    const isView = opOf(t.node.op).kind === 'view';
    if (isView && needsAgain(t.node, late, id)) return copyNode(b, t.node, t.node.inputs.map((s) => at(s!, id)))[t.index]!;
    if (from === undefined || id < from) return early.get(t.node)![t.index]!;
    if (!again.has(t.node)) again.set(t.node, b.within(t.node.scope, () => copyNode(b, t.node, t.node.inputs.map((s) => s && at(s, id)))));
    return again.get(t.node)![t.index]!;
  };
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((t) => t && at(t, node.id));
    early.set(node, node.scope === '' ? copyNode(b, node, inputs) : b.within(node.scope, () => copyNode(b, node, inputs)));
  }
  const last = (t: Tensor): Tensor => early.get(t.node)![t.index]!;
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, last(t)]));
  return b.finish(outputs, graph.writes.map(([state, t]) => [state, last(t)] as const));
}

/** Whether a view looks at a value that is computed again by then. */
function needsAgain(node: Node, late: ReadonlyMap<Node, number>, id: number): boolean {
  const source = node.inputs[0]!.node;
  return opOf(source.op).kind === 'view' ? needsAgain(source, late, id) : id >= (late.get(source) ?? Infinity);
}
