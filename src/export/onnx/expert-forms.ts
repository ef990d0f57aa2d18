// Experts in ONNX: the same sorting by expert, and a product over each expert's rows, also where it has none. Layer: export.

import type { Dim, Node, OpAttrs } from '../../core/index.ts';
import { FLOAT, INT64, type OnnxGraph, type Value } from './onnx-graph.ts';

// N tokens, E experts, k of them a token, G groups of E/G
export const expertForms = {
  route(g: OnnxGraph, { attrs, inputs }: Node<'route'>, [scores]: readonly Value[]): Value[] {
    const e = inputs[0]!.shape[1] as number, k = attrs.topK, choice = withinGroups(g, scores!, e, attrs);
    const experts = g.node('TopK', [choice, g.ints(k)], 2, { axis: { int: 1 } })[1]!; // [N, k], the first of equals first
    const flat = g.reshape(experts, [-1]), count = g.one('Shape', [flat]), pairs = g.one('Range', [g.int(0), g.one('Squeeze', [count]), g.int(1)]); // [N·k]
    // Sorted by expert, and by pair within one: all keys differ, so that any sort gives this order.
    const keys = g.one('Add', [g.one('Mul', [flat, count]), pairs]);
    const order = g.node('TopK', [keys, count], 2, { axis: { int: 0 }, largest: { int: 0 } })[1]!;
    const places = g.one('ScatterElements', [pairs, order, pairs], { axis: { int: 0 } });
    const tokens = g.one('Div', [order, g.int(k)]);
    // offsets[i]: how many pairs have an expert before i
    const before = g.one('Less', [g.one('Unsqueeze', [flat, g.ints(0)]), g.one('Unsqueeze', [g.one('Range', [g.int(0), g.int(e + 1), g.int(1)]), g.ints(1)])]);
    const offsets = g.one('ReduceSum', [g.cast(before, INT64), g.ints(1)], { keepdims: { int: 0 } }); // [E + 1]
    return [experts, g.reshape(tokens, [-1, k]), g.reshape(order, [-1, k]), g.reshape(places, [-1, k]), offsets];
  },

  reorder(g: OnnxGraph, { inputs }: Node<'reorder'>, [x, ids]: readonly Value[]): Value[] {
    const [, k, ...rest] = inputs[0]!.shape as [Dim, number, ...number[]];
    return [g.one('Gather', [g.reshape(x!, [-1, ...rest]), g.reshape(ids!, [-1, k])], { axis: { int: 0 } })];
  },

  groupedLinear(g: OnnxGraph, { attrs, inputs, outs }: Node<'groupedLinear'>, [x, offsets, ...weights]: readonly Value[]): Value[] {
    const [, ...axes] = inputs[0]!.shape, width = axes.at(-1) as number, flat = axes.length === 1 ? x! : g.reshape(x!, [-1, width]);
    const ends = g.node('Split', [offsets!, g.ints(...Array.from({ length: weights.length + 1 }, () => 1))], weights.length + 1, { axis: { int: 0 } });
    const parts = weights.map((weight, e) => g.one('Gemm', [g.one('Slice', [flat, ends[e]!, ends[e + 1]!, g.ints(0)]), weight], { transB: { int: attrs.transposed ? 0 : 1 } }));
    const all = parts.length === 1 ? parts[0]! : g.one('Concat', parts, { axis: { int: 0 } });
    return [axes.length === 1 ? all : g.reshape(all, [-1, ...outs[0]!.shape.slice(1).map(Number)])];
  },
} as const;

/** Scores of experts outside the best groups become −∞; a group is as good as its two best experts together. */
function withinGroups(g: OnnxGraph, scores: Value, e: number, { nGroups, topGroups }: OpAttrs['route']): Value {
  if (nGroups === topGroups) return scores;
  const size = e / nGroups, grouped = g.reshape(scores, [-1, nGroups, size]);
  const strengths = g.one('ReduceSum', [g.node('TopK', [grouped, g.ints(Math.min(2, size))], 2, { axis: { int: 2 } })[0]!, g.ints(2)], { keepdims: { int: 0 } }); // [N, G]
  const groups = g.node('TopK', [strengths, g.ints(topGroups)], 2, { axis: { int: 1 } })[1]!; // [N, topGroups]
  const equal = g.one('Equal', [g.one('Unsqueeze', [groups, g.ints(2)]), g.one('Range', [g.int(0), g.int(nGroups), g.int(1)])]); // [N, topGroups, G]
  const kept = g.one('Unsqueeze', [g.one('ReduceMax', [g.cast(equal, FLOAT), g.ints(1)], { keepdims: { int: 0 } }), g.ints(2)]); // [N, G, 1]
  return g.reshape(g.one('Where', [g.one('Equal', [kept, g.float(1)]), grouped, g.float(-Infinity)]), [-1, e]);
}
