// The oracle: evaluates operators and graphs in float64, straight from their definitions. Layer: core.

import { ConfigError } from '../base/errors.ts';
import { isBlockFormat, type DType } from './dtype.ts';
import { GraphBuilder } from './graph-builder.ts';
import type { NDArray } from './ndarray.ts';
import type { OpAttrs, OpName } from './op-attrs.ts';
import { opOf } from './op-table.ts';
import type { Meta } from './shape.ts';
import { nodesOf, type Graph, type Node, type Tensor } from './tensor.ts';

/** An array with the type that the operator's rules see. Values are float64 whatever it says. */
export interface TypedArrayND extends NDArray {
  readonly dtype: DType;
}

/** One operator on arrays; a named one through its decomposition. */
export function evaluateOp<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: readonly (TypedArrayND | null)[]): TypedArrayND[] {
  const rules = opOf(op);
  const metas = inputs.map((x): Meta | null => x && { shape: x.shape, dtype: x.dtype });
  const outs = rules.infer(attrs, metas);
  if (rules.kind === 'named') {
    const b = new GraphBuilder();
    const tensors = metas.map((meta, i) => meta && sourceOf(b, String(i), meta));
    const results = rules.decompose(b, attrs, tensors);
    const graph = b.finish(Object.fromEntries(results.map((t, i) => [String(i), t])));
    const given = Object.fromEntries(inputs.flatMap((x, i) => (x ? [[String(i), x]] : [])));
    const values = evaluateGraph(graph, given, given);
    return outs.map((meta, i) => ({ ...values.outputs[String(i)]!, dtype: meta.dtype }));
  }
  if (rules.kind === 'source') throw new ConfigError(`Cannot evaluate "${op}" on its own: it stands for a value that the caller gives.`);
  return rules.reference(attrs, inputs, outs).map((array, i) => ({ ...array, dtype: outs[i]!.dtype }));
}

/** An input; a weight in a block format, which no graph can take as one, is a state. */
export function sourceOf(b: GraphBuilder, name: string, meta: Meta): Tensor {
  if (!isBlockFormat(meta.dtype)) return b.input(name, meta);
  return b.state({ id: name, meta, role: 'parameter', init: { kind: 'zeros' }, trainable: false });
}

/** Values of a graph's outputs and writes. @param states current values by State id */
export function evaluateGraph(
  graph: Graph,
  inputs: Readonly<Record<string, NDArray>>,
  states: Readonly<Record<string, NDArray>> = {},
): { outputs: Record<string, NDArray>; writes: Record<string, NDArray> } {
  const values = new Map<Node, readonly TypedArrayND[]>();
  const valueOf = (t: Tensor): TypedArrayND => values.get(t.node)![t.index]!;
  for (const node of nodesOf(graph)) {
    if (node.op === 'input' || node.op === 'state') {
      const id = node.op === 'input' ? (node.attrs as OpAttrs['input']).name : (node.attrs as OpAttrs['state']).state.id;
      const given = (node.op === 'input' ? inputs : states)[id];
      if (given === undefined) throw new ConfigError(`Cannot evaluate the graph: no value was given for ${node.op} "${id}".`);
      values.set(node, [{ ...given, dtype: node.outs[0]!.dtype }]);
    } else {
      values.set(node, evaluateOp(node.op, node.attrs, node.inputs.map((t) => t && valueOf(t))));
    }
  }
  return {
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, valueOf(t)])),
    writes: Object.fromEntries(graph.writes.map(([state, t]) => [state.id, valueOf(t)])),
  };
}
