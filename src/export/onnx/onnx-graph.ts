// A graph of ONNX nodes as it grows: named values, constants made once, weights that are written later. Layer: export.
// @see https://github.com/onnx/onnx/blob/main/docs/IR.md and docs/Operators.md (opset 18)

import { create } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as AttributeType, AttributeProtoSchema, NodeProtoSchema, TensorProto_DataType as DataType, TensorProtoSchema, type AttributeProto, type NodeProto, type TensorProto } from 'onnx-buf';

/** Operators are those of this version. */
export const OPSET = 18n;

/** An attribute's value: a whole number, several, or a float. */
export type OnnxAttribute = { readonly int: number } | { readonly ints: readonly number[] } | { readonly float: number };

/** A value's name; '' for an optional input that is not there. */
export type Value = string;

/** Element types of casts. */
export const { FLOAT, FLOAT16, INT64, BOOL } = DataType;

export class OnnxGraph {
  readonly nodes: NodeProto[] = [];
  readonly constants: TensorProto[] = [];
  readonly #known = new Map<string, Value>();
  readonly #used = new Set<string>();
  /** Put before the names of what is made, so that a viewer shows where it belongs. */
  scope = '';

  /** Applies an operator with one result. */
  one(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): Value {
    return this.node(op, inputs, 1, attributes)[0]!;
  }

  /** @returns the names of its results */
  node(op: string, inputs: readonly Value[], nOutputs: number, attributes: Readonly<Record<string, OnnxAttribute>> = {}): Value[] {
    const name = this.fresh(op), outputs = nOutputs === 1 ? [name] : Array.from({ length: nOutputs }, (_, i) => `${name}.${i}`);
    this.nodes.push(create(NodeProtoSchema, { name, opType: op, input: [...inputs], output: outputs, attribute: Object.entries(attributes).map(attributeOf) }));
    return outputs;
  }

  /** Gives a value another name: that of an output. */
  rename(value: Value, name: string): void {
    this.nodes.push(create(NodeProtoSchema, { name: this.fresh('Identity'), opType: 'Identity', input: [value], output: [name] }));
  }

  /** A name that nothing has. */
  fresh(word: string): string {
    const stem = this.scope === '' ? word : `${this.scope}/${word}`;
    let name = stem;
    for (let i = 1; this.#used.has(name); i++) name = `${stem}_${i}`;
    this.#used.add(name);
    return name;
  }

  /** Whole numbers, int64 [length]. */
  ints(...values: number[]): Value {
    return this.#constant(`ints ${values.join(' ')}`, () => ({ dims: [BigInt(values.length)], dataType: INT64, int64Data: values.map(BigInt) }));
  }

  /** A whole number, int64 []. */
  int(value: number): Value {
    return this.#constant(`int ${value}`, () => ({ dims: [], dataType: INT64, int64Data: [BigInt(value)] }));
  }

  /** f32 []. */
  float(value: number): Value {
    return this.#constant(`float ${Object.is(value, -0) ? '-0' : value}`, () => ({ dims: [], dataType: FLOAT, floatData: [value] }));
  }

  /** f32 values of any shape, kept in the graph. */
  floats(name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>): Value {
    return this.#constant(`floats ${name}`, () => ({ dims: shape.map(BigInt), dataType: FLOAT, rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }), name);
  }

  #constant(key: string, make: () => Omit<Parameters<typeof create<typeof TensorProtoSchema>>[1] & object, 'name' | '$typeName'>, name?: string): Value {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const scope = this.scope;
    this.scope = '';
    const own = this.fresh(name ?? 'constant');
    this.scope = scope;
    this.constants.push(create(TensorProtoSchema, { ...make(), name: own }));
    this.#known.set(key, own);
    return own;
  }

  cast(value: Value, to: number): Value {
    return this.one('Cast', [value], { to: { int: to } });
  }

  /** Length of one axis, int64 [1]. */
  sizeOf(value: Value, axis: number): Value {
    const key = `size ${axis} ${value}`, known = this.#known.get(key);
    if (known !== undefined) return known;
    const size = this.one('Gather', [this.one('Shape', [value]), this.ints(axis)]);
    this.#known.set(key, size);
    return size;
  }

  /** @param shape sizes: numbers (−1 once, for what is left), or values of int64 [1] */
  reshape(value: Value, shape: readonly (number | Value)[]): Value {
    const target = shape.every((dim) => typeof dim === 'number') ? this.ints(...(shape as number[])) : this.one('Concat', shape.map((dim) => (typeof dim === 'number' ? this.ints(dim) : dim)), { axis: { int: 0 } });
    return this.one('Reshape', [value, target]);
  }

  transpose(value: Value, ...perm: number[]): Value {
    return this.one('Transpose', [value], { perm: { ints: perm } });
  }
}

function attributeOf([name, value]: [string, OnnxAttribute]): AttributeProto {
  if ('int' in value) return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  if ('ints' in value) return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.ints.map(BigInt) });
  return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
}
