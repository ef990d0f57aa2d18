// The operators of inference graphs in ONNX. Layer: export. The table is typed by the operators' names: one without a line
// does not compile. null: only training has it.
// Tokens lead here as in the graph: [batch, sequence] ids are flattened first, so that only attention knows of either.

import type { Dim, Node, OpName } from '../../core/index.ts';
import { expertForms } from './expert-forms.ts';
import { FLOAT, INT64, type OnnxGraph, type Value } from './onnx-graph.ts';
import { emitExpression } from './scalar-forms.ts';

/** What a node becomes: the names of its outputs; those that nothing reads may be missing. */
export type Form<K extends OpName> = (g: OnnxGraph, node: Node<K>, inputs: readonly Value[]) => Value[];

/** Forms of nodes that depend on where a graph is exported to: its inputs, its weights, its cache. */
export type SiteForms = { readonly [K in 'input' | 'state' | 'attention']: Form<K> };

type Forms = { readonly [K in OpName]: Form<K> | null };

/** A size in a shape: what is bounded is what is left, which can be so for one axis only. */
const size = (dim: Dim): number => (typeof dim === 'number' ? dim : -1);

export function formsOf(site: SiteForms): Forms {
  return {
    ...site,
    fill: (g, { attrs: { value, shape, dtype } }) => [g.one('Expand', [dtype === 'i32' ? g.int(value) : g.float(value), g.ints(...shape.map(numberOf))])],
    iota: (g, { attrs: { length, dtype } }) => {
      const values = g.one('Range', [g.int(0), g.int(numberOf(length)), g.int(1)]);
      return [dtype === 'i32' ? values : g.cast(values, FLOAT)];
    },
    reshape: (g, { attrs: { shape } }, [x]) => [g.reshape(x!, shape.map(size))],
    split: (g, { attrs: { axis, sizes } }, [x]) => g.node('Split', [x!, g.ints(...sizes)], sizes.length, { axis: { int: axis } }),
    map: mapForm,
    reduce: (g, { attrs: { kind, axis } }, [x]) => [
      kind === 'sum' ? g.one('ReduceSum', [x!, g.ints(axis)], { keepdims: { int: 1 } }) : g.one('ReduceMax', [x!, g.ints(axis)], { keepdims: { int: 1 } }),
    ],
    matmul: (g, { attrs: { transA, transB }, inputs }, [a, b, addend]) => {
      const product = g.one('MatMul', [turned(g, a!, inputs[0]!.shape.length, transA), turned(g, b!, inputs[1]!.shape.length, transB)]);
      return [addend ? g.one('Add', [product, addend]) : product];
    },
    gather: (g, _node, [table, ids]) => [g.one('Gather', [table!, ids!], { axis: { int: 0 } })],
    concat: (g, { attrs: { axis } }, parts) => [g.one('Concat', parts, { axis: { int: axis } })],
    permute: (g, { attrs: { perm } }, [x]) => [g.transpose(x!, ...perm)],
    linear: (g, _node, [x, w, bias, addend]) => {
      const product = g.one('Gemm', bias ? [x!, w!, bias] : [x!, w!], { transB: { int: 1 } });
      return [addend ? g.one('Add', [product, addend]) : product];
    },
    rmsNorm: (g, { attrs: { eps } }, [x, weight]) => {
      const mean = g.one('ReduceMean', [g.one('Mul', [x!, x!]), g.ints(-1)], { keepdims: { int: 1 } });
      return [g.one('Mul', [g.one('Div', [x!, g.one('Sqrt', [g.one('Add', [mean, g.float(eps)])])]), weight!])];
    },
    layerNorm: (g, { attrs: { eps } }, [x, weight, bias]) => [g.one('LayerNormalization', bias ? [x!, weight!, bias] : [x!, weight!], { axis: { int: -1 }, epsilon: { float: eps } })],
    rope: ropeForm,
    ...expertForms,
    dequantise: null,
    quantise: null,
    scatter: null,
    pagedAttention: null,
    rmsNormBackward: null,
    layerNormBackward: null,
    attentionBackward: null,
    linearCrossEntropy: null,
    linearCrossEntropyGrad: null,
    groupedLinearGrad: null,
    adamw: null,
    globalNorm: null,
  };
}

function numberOf(dim: Dim): number {
  if (typeof dim === 'number') return dim;
  throw new TypeError('A constant of as many elements as there are tokens has no ONNX form.');
}

const turned = (g: OnnxGraph, x: Value, rank: number, flipped: boolean): Value => (flipped ? g.transpose(x, ...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2) : x);

/** Integers are computed with as floats, as `map` does. */
const mapForm: Form<'map'> = (g, { attrs, inputs, outs }, values) => {
  const floats = values.map((value, i) => (inputs[i]!.dtype === 'i32' ? g.cast(value, FLOAT) : value));
  return emitExpression(g, attrs.expression, floats).map((value, i) => {
    const whole = attrs.shape === undefined ? value : g.one('Expand', [value, g.ints(...attrs.shape.map((dim) => (typeof dim === 'number' ? dim : 1)))]); // 1: as many tokens as there are
    return outs[i]!.dtype === 'i32' ? g.cast(whole, INT64) : whole;
  });
};

// x [N, H, D], R turned channels, tables [T, R/2]
const ropeForm: Form<'rope'> = (g, { attrs: { inverse, interleaved }, inputs }, [x, positions, cosTable, sinTable]) => {
  const [, heads, d] = inputs[0]!.shape as [Dim, number, number], half = inputs[2]!.shape[1] as number, turnedSize = 2 * half;
  const angles = (table: Value): Value => g.one('Unsqueeze', [g.one('Gather', [table, positions!], { axis: { int: 0 } }), g.ints(1)]); // [N, 1, R/2]
  const cos = angles(cosTable!), sin = inverse ? g.one('Neg', [angles(sinTable!)]) : angles(sinTable!);
  const [turning, rest] = turnedSize === d ? [x!] : g.node('Split', [x!, g.ints(turnedSize, d - turnedSize)], 2, { axis: { int: 2 } });
  const pairs = interleaved ? g.reshape(turning!, [-1, heads, half, 2]) : turning!;
  const parts = g.node('Split', [pairs, interleaved ? g.ints(1, 1) : g.ints(half, half)], 2, { axis: { int: interleaved ? 3 : 2 } });
  const [a, b] = interleaved ? parts.map((part) => g.one('Squeeze', [part, g.ints(3)])) : parts; // [N, H, R/2]
  const y = [g.one('Sub', [g.one('Mul', [a!, cos]), g.one('Mul', [b!, sin])]), g.one('Add', [g.one('Mul', [b!, cos]), g.one('Mul', [a!, sin])])];
  const joined = interleaved
    ? g.reshape(g.one('Concat', y.map((part) => g.one('Unsqueeze', [part, g.ints(3)])), { axis: { int: 3 } }), [-1, heads, turnedSize])
    : g.one('Concat', y, { axis: { int: 2 } });
  return [rest === undefined ? joined : g.one('Concat', [joined, rest], { axis: { int: 2 } })];
};
