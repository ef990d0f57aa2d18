// A model as an ONNX graph: ids and a cache in, logits and the longer cache out. Layer: export.

import { create, toBinary } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation as DataLocation, TensorProtoSchema, TensorShapeProto_DimensionSchema, TensorShapeProtoSchema, TypeProto_TensorSchema, TypeProtoSchema, ValueInfoProtoSchema, type TensorProto, type ValueInfoProto } from 'onnx-buf';
import { CapacityError } from '../../base/errors.ts';
import { GraphBuilder, nodesOf, sizeOf, type Node, type OpName, type State, type Tensor } from '../../core/index.ts';
import { logitsOf, traceInto, type Model } from '../../models/index.ts';
import { CacheAttention } from './cache-attention.ts';
import { formsOf, type Form } from './forms.ts';
import { FLOAT, FLOAT16, INT64, OnnxGraph, OPSET, type Value } from './onnx-graph.ts';

/** IR version 8 is that of opset 18. */
const IR_VERSION = 8n;

/** Types that weights can be stored in; all computing is in f32. */
export type OnnxWeightType = 'f32' | 'f16';

/** A weight's place in the graph: values are written where `bytes` says. */
export interface OnnxWeight {
  readonly state: State;
  readonly type: OnnxWeightType;
  readonly bytes: number;
}

/** A model in ONNX, its weights still to be filled in. */
export interface OnnxModel {
  readonly weights: readonly OnnxWeight[];
  /** Bytes of everything but weights, once formatted: an estimate for the choice of where weights go. */
  readonly smallBytes: number;
  /** The file's bytes, weights inside (`values`) or in another file (`location`, at these offsets). */
  format(stored: { readonly values: (weight: OnnxWeight) => Uint8Array<ArrayBuffer> } | { readonly location: string; readonly offsets: readonly number[] }): Uint8Array;
}

export interface OnnxOptions {
  /** Positions that the graph can tell apart (default: the model's): tables of angles have a row for each. */
  readonly maxLength?: number;
  readonly weightType?: OnnxWeightType;
}

/** Most tokens of one run, for shape rules that want a bound; no size in the result depends on it. */
const MANY_TOKENS = 2 ** 20;

/**
 * Traces a model for ONNX (opset 18).
 *
 * Inputs: input_ids int64 [batch, sequence]; attention_mask int64 [batch, past + sequence], 0 for padding; position_ids
 * int64 [batch, sequence]; past_key_values.LAYER.key and .value f32 [batch, KV, past, D].
 * Outputs: logits f32 [batch, sequence, V]; present.LAYER.key and .value f32 [batch, KV, past + sequence, D].
 *
 * @throws {CapacityError} if `maxLength` is more than the model's positions
 */
export function onnxModel(model: Model, { maxLength = model.dims.maxPositions, weightType = 'f32' }: OnnxOptions = {}): OnnxModel {
  if (maxLength > model.dims.maxPositions) throw new CapacityError(`Cannot export ${maxLength} positions: the model tells ${model.dims.maxPositions} apart. Ask for less.`, { need: maxLength, have: model.dims.maxPositions });
  const { nodes, logits, layerOf } = trace(model, maxLength), g = new OnnxGraph(), weights: OnnxWeight[] = [];
  const flat = (name: string): Value => g.reshape(name, [-1]);
  const given: Readonly<Record<string, Value>> = { tokens: flat('input_ids'), positions: flat('position_ids') };
  const attention = new CacheAttention(g, 'input_ids', 'attention_mask'), values = new Map<Tensor, Value>();
  const forms = formsOf({
    input: (_g, { attrs: { name } }) => [given[name] ?? ''],
    attention: (_g, node, inputs) => [attention.emit(node, layerOf.get(node)!, inputs)],
    state: (_g, { attrs: { state } }) => {
      if (state.init.kind === 'values' && state.role === 'buffer') return [g.floats(state.id, state.meta.shape as number[], state.init.values() as Float32Array<ArrayBuffer>)];
      const type = state.meta.shape.length > 1 ? weightType : 'f32';
      weights.push({ state, type, bytes: sizeOf(state.meta.shape) * (type === 'f16' ? 2 : 4) });
      return [type === 'f16' ? g.cast(state.id, FLOAT) : state.id];
    },
  });
  for (const node of nodes) {
    const form = forms[node.op] as Form<OpName> | null;
    if (form === null) throw new TypeError(`${node.op} has no ONNX form: no inference graph has it.`);
    g.scope = node.scope.replaceAll('.', '/');
    const outs = form(g, node, node.inputs.map((t) => (t === null ? '' : values.get(t)!)));
    node.outs.forEach((t, i) => values.set(t, outs[i] ?? ''));
  }
  g.scope = '';
  const shape = g.one('Concat', [g.sizeOf('input_ids', 0), g.sizeOf('input_ids', 1), g.ints(model.dims.vocabSize)], { axis: { int: 0 } });
  g.rename(g.one('Reshape', [values.get(logits)!, shape]), 'logits');
  const [inputs, outputs] = interfaceOf(model, attention);
  const proto = (initializer: TensorProto[]) =>
    create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      opsetImport: [{ version: OPSET }],
      producerName: 'athanor',
      graph: create(GraphProtoSchema, { name: model.family.modelType, node: g.nodes, initializer, input: inputs, output: outputs }),
    });
  return {
    weights,
    smallBytes: toBinary(ModelProtoSchema, proto(g.constants)).length,
    format(stored) {
      const initializers = weights.map((weight, i) => ('values' in stored ? inline(weight, stored.values(weight)) : external(weight, stored.location, stored.offsets[i]!)));
      return toBinary(ModelProtoSchema, proto([...g.constants, ...initializers]));
    },
  };
}

/** The model's graph with one attention a layer, whose cache is ONNX's affair. */
function trace(model: Model, maxLength: number) {
  const b = new GraphBuilder(), n = { dim: 'tokens', max: MANY_TOKENS }, layerOf = new Map<Node, number>();
  const ids = (name: string): Tensor => b.input(name, { shape: [n], dtype: 'i32' });
  const tokens = ids('tokens'), positions = ids('positions'), starts = ids('starts');
  const attend: Parameters<typeof traceInto>[0]['attend'] = (layer, q, k, v, attrs) => {
    const out = b.one('attention', attrs, [q, k, v, starts]);
    layerOf.set(out.node, layer);
    return out;
  };
  const traced = traceInto({ b, tokens, positions, maxLength, attend }, model), logits = logitsOf(b, traced, traced.hidden);
  return { nodes: nodesOf(b.finish({ logits })), logits, layerOf };
}

function interfaceOf(model: Model, { layers }: CacheAttention): [inputs: ValueInfoProto[], outputs: ValueInfoProto[]] {
  const cache = (word: string, length: string): ValueInfoProto[] =>
    layers.flatMap(({ nKvHeads, keySize, valueSize }, layer) => [
      valueInfo(`${word}.${layer}.key`, FLOAT, ['batch', nKvHeads, length, keySize]),
      valueInfo(`${word}.${layer}.value`, FLOAT, ['batch', nKvHeads, length, valueSize]),
    ]);
  return [
    [
      valueInfo('input_ids', INT64, ['batch', 'sequence']),
      valueInfo('attention_mask', INT64, ['batch', 'total']),
      valueInfo('position_ids', INT64, ['batch', 'sequence']),
      ...cache('past_key_values', 'past'),
    ],
    [valueInfo('logits', FLOAT, ['batch', 'sequence', model.dims.vocabSize]), ...cache('present', 'total')],
  ];
}

function valueInfo(name: string, elemType: number, shape: readonly (number | string)[]): ValueInfoProto {
  const dim = shape.map((size) => create(TensorShapeProto_DimensionSchema, { value: typeof size === 'number' ? { case: 'dimValue', value: BigInt(size) } : { case: 'dimParam', value: size } }));
  const tensor = create(TypeProto_TensorSchema, { elemType, shape: create(TensorShapeProtoSchema, { dim }) });
  return create(ValueInfoProtoSchema, { name, type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }) });
}

const header = ({ state, type }: OnnxWeight) => ({ name: state.id, dims: (state.meta.shape as number[]).map(BigInt), dataType: type === 'f16' ? FLOAT16 : FLOAT });

function inline(weight: OnnxWeight, rawData: Uint8Array<ArrayBuffer>): TensorProto {
  return create(TensorProtoSchema, { ...header(weight), rawData });
}

function external(weight: OnnxWeight, location: string, offset: number): TensorProto {
  const entries = Object.entries({ location, offset: String(offset), length: String(weight.bytes) });
  return create(TensorProtoSchema, { ...header(weight), dataLocation: DataLocation.EXTERNAL, externalData: entries.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })) });
}
