// copyViews: a view that its input's strides cannot express gets a contiguous copy of it first.

import { UnsupportedOpError } from '../../base/errors.ts';
import { IDENTITY } from '../expression.ts';
import { opOf } from '../op-table.ts';
import { rebuild } from '../rebuild.ts';
import { rowSize, showShape } from '../shape.ts';
import type { Graph, Tensor } from '../tensor.ts';

export function copyViews(graph: Graph): Graph {
  const strides = new Map<Tensor, number>();
  return rebuild(graph, (b, node, inputs) => {
    const rules = opOf(node.op);
    if (rules.kind !== 'view') return null;
    let source = inputs[0]!, stride0 = strides.get(source) ?? rowSize(source.shape);
    const windows = () => node.outs.map((t, i) => rules.view(node.attrs, { meta: source, stride0 }, t, i));
    if (windows().includes(null)) {
      source = b.map(IDENTITY, [source], source.dtype);
      stride0 = rowSize(source.shape);
    }
    const outs = b.apply(node.op, node.attrs, [source]);
    windows().forEach((window, i) => {
      if (window === null) {
        const why = `an inner axis of ${showShape(source.shape)} cannot be cut without moving it first (permute)`;
        throw new UnsupportedOpError(`Cannot place "${node.op}" (${node.scope}): ${why}.`, { op: node.op, dtype: source.dtype, backend: 'native' });
      }
      strides.set(outs[i]!, window.stride0);
    });
    return outs;
  });
}
