// Reverse-mode differentiation of graphs: the gradient of a scalar, as more nodes of the same graph. Layer: core.
// Baydin et al. 2018, arXiv 1502.05767, section 3.2. Each operator brings its own rule (`vjp`).

import { ShapeError, UnsupportedOpError } from '../base/errors.ts';
import { isFloating } from './dtype.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { opOf } from './op-table.ts';
import { inScope } from './rebuild.ts';
import { showShape, sizeOf } from './shape.ts';
import { nodesOf, type Node, type Tensor } from './tensor.ts';

/**
 * Gradients of `loss` with respect to tensors of its graph, added to the graph through `b`.
 *
 * @param loss a scalar: one element
 * @param onto what each gradient is added to, instead of zero
 * @returns one gradient for each of `wanted`, of its shape; a zero constant where the loss does not depend on it
 * @throws {ShapeError} if loss is no scalar
 * @throws {UnsupportedOpError} if an operator on the way has no gradient, on purpose
 */
export function gradients(b: GraphBuilder, loss: Tensor, wanted: readonly Tensor[], onto: readonly Tensor[] = []): Tensor[] {
  if (sizeOf(loss.shape) !== 1) {
    throw new ShapeError(`Cannot differentiate ${showShape(loss.shape)}: reduce it to one number first.`, { op: 'gradients', shapes: [showShape(loss.shape)] });
  }
  const nodes = nodesOf({ outputs: { loss }, writes: [] });
  const onTheWay = dependants(nodes, wanted);
  const sums = new Map<Tensor, Tensor>();
  onto.forEach((t, i) => sums.set(wanted[i]!, t));
  sums.set(loss, b.fill(1, loss.shape));
  for (const node of [...nodes].reverse()) {
    const outs = node.outs.map((t) => sums.get(t) ?? null);
    if (!onTheWay.has(node) || outs.every((d) => d === null) || opOf(node.op).kind === 'source') continue;
    const needs = node.inputs.map((t) => t !== null && isFloating(t.dtype) && (onTheWay.has(t.node)));
    const { vjp, residuals = [] } = opOf(node.op);
    if (vjp === null) throw notDifferentiable(node, 'it has no gradient, on purpose');
    const residual = residuals.find((i) => outs[i] !== null);
    if (residual !== undefined) throw notDifferentiable(node, `its output ${residual} is a statistic for the gradient, and has none itself`);
    const parts = inScope(b, node.scope, () => vjp(b, node.attrs, node.inputs, node.outs, outs, needs));
    node.inputs.forEach((t, i) => {
      const part = parts[i];
      if (t === null || !needs[i]) return;
      if (part === null || part === undefined) throw notDifferentiable(node, `its operand ${i} has no gradient`);
      const before = sums.get(t);
      sums.set(t, before === undefined ? part : inScope(b, node.scope, () => b.call('add', before, part)));
    });
  }
  return wanted.map((t) => sums.get(t) ?? b.fill(0, t.shape));
}

/** Nodes that depend on one of `wanted`, those themselves included. */
function dependants(nodes: readonly Node[], wanted: readonly Tensor[]): Set<Node> {
  const found = new Set<Node>(wanted.map((t) => t.node));
  for (const node of nodes) if (node.inputs.some((t) => t !== null && found.has(t.node))) found.add(node);
  return found;
}

function notDifferentiable(node: Node, why: string): UnsupportedOpError {
  return new UnsupportedOpError(`Cannot differentiate through "${node.op}" (${node.scope || 'top level'}): ${why}.`, { op: node.op, dtype: 'f32', backend: 'autodiff' });
}
