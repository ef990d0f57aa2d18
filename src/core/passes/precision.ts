// precision: mixed-precision compute. Operators that say so (`compute`) get their inputs, and give their outputs, in bf16;
// everything else stays f32. Casts are nodes, so gradients pass through them and parameters stay f32 (Micikevicius et
// al. 2018, arXiv 1710.03740, section 3.1, without loss scaling: bf16 has the range of f32).

import { opOf } from '../op-table.ts';
import { rebuild } from '../rebuild.ts';
import type { Graph, Tensor } from '../tensor.ts';

export function precision(graph: Graph, compute: 'f32' | 'bf16'): Graph {
  if (compute === 'f32') return graph;
  const lowered = new Map<Tensor, Tensor>();
  const promised = new Set([...Object.values(graph.outputs), ...graph.writes.map(([, value]) => value)]); // these types are the caller's
  return rebuild(graph, (b, node, inputs) => {
    const rule = opOf(node.op).compute;
    if (rule === undefined) return null;
    const cast = (t: Tensor): Tensor => {
      let low = lowered.get(t);
      if (low === undefined) lowered.set(t, low = b.cast(t, compute));
      return low;
    };
    const operands = inputs.map((t, i) => (t?.dtype === 'f32' && rule.inputs.includes(i) ? cast(t) : t));
    const dtypes = node.outs.map((t, i) => (t.dtype === 'f32' && rule.outputs.includes(i) ? compute : t.dtype));
    return b.apply(node.op, node.attrs, operands, dtypes).map((t, i) => (promised.has(node.outs[i]!) ? b.cast(t, node.outs[i]!.dtype) : t));
  });
}
