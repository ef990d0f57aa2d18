// The builder of graphs: applies operators, checks their shapes, keeps scopes. Layer: core.

import { ShapeError } from '../base/errors.ts';
import { refuse } from './check.ts';
import { isBlockFormat, isFloating, type DType } from './dtype.ts';
import { IDENTITY, callOf, ExpressionBuilder, type Expression } from './expression.ts';
import type { OpAttrs, OpName } from './op-attrs.ts';
import { opOf } from './op-table.ts';
import type { Builder, Inputs } from './op.ts';
import { SCALAR_RULES, type ScalarFn } from './scalar.ts';
import { sameShape, showShape, type Meta, type Shape } from './shape.ts';
import type { State } from './state.ts';
import { nodesOf, type Graph, type Node, type Tensor } from './tensor.ts';

/** Makes nodes with growing ids. */
export class GraphBuilder implements Builder {
  #nextId = 0;
  #scope = '';
  readonly #inputs: Record<string, Tensor> = {};
  readonly #states = new Map<string, Tensor>();

  /** @param graph a graph to go on with: its inputs and states are known, new nodes come after its own */
  constructor(graph?: Graph) {
    for (const node of graph === undefined ? [] : nodesOf(graph)) {
      this.#nextId = node.id + 1;
      if (node.op === 'state') this.#states.set((node.attrs as OpAttrs['state']).state.id, node.outs[0]!);
    }
    for (const [name, t] of Object.entries(graph?.inputs ?? {})) {
      this.#inputs[name] = t;
      this.#nextId = Math.max(this.#nextId, t.node.id + 1);
    }
  }

  get inputs(): Readonly<Record<string, Tensor>> {
    return this.#inputs;
  }

  get scope(): string {
    return this.#scope;
  }

  apply<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: Inputs, dtypes: readonly (DType | undefined)[] = []): Tensor[] {
    const outs: Tensor[] = [], { blocks, infer } = opOf(op);
    const inBlocks = inputs.findIndex((t, i) => t !== null && isBlockFormat(t.dtype) && blocks?.includes(i) !== true);
    if (inBlocks >= 0) refuse(op, inputs, `operand ${inBlocks} must not be in a block format: dequantise it first`);
    const node: Node<K> = { id: this.#nextId++, op, attrs, inputs, outs, scope: this.#scope };
    infer(attrs, inputs).forEach(({ shape, dtype }, index) => {
      outs.push({ node: node as unknown as Node, index, shape, dtype: isFloating(dtype) ? (dtypes[index] ?? dtype) : dtype });
    });
    return outs;
  }

  one<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: Inputs, dtype?: DType): Tensor {
    return this.apply(op, attrs, inputs, [dtype])[0]!;
  }

  map(expression: Expression, inputs: readonly Tensor[], dtype: DType = 'f32'): Tensor {
    return this.one('map', { expression, dtypes: [dtype] }, inputs);
  }

  call(fn: ScalarFn, ...args: (Tensor | number)[]): Tensor {
    const tensors = args.filter((arg) => typeof arg !== 'number');
    if (tensors.length === args.length) return this.map(callOf(fn), tensors);
    const e = new ExpressionBuilder(tensors.length);
    let next = 0;
    const refs = args.map((arg) => (typeof arg === 'number' ? e.constant(arg) : next++));
    if (args.length !== SCALAR_RULES[fn].arity) throw new ShapeError(`Cannot call ${fn} with ${args.length} arguments.`, { op: fn, shapes: [] });
    return this.map(e.finish([e.call(fn, ...refs)]), tensors);
  }

  cast(x: Tensor, dtype: DType): Tensor {
    return x.dtype === dtype ? x : this.map(IDENTITY, [x], dtype);
  }

  broadcast(x: Tensor, shape: Shape): Tensor {
    return sameShape(x.shape, shape) ? x : this.one('map', { expression: IDENTITY, dtypes: [x.dtype], shape }, [x]);
  }

  reshape(x: Tensor, shape: Shape): Tensor {
    return sameShape(x.shape, shape) ? x : this.one('reshape', { shape }, [x]);
  }

  sumTo(x: Tensor, shape: Shape): Tensor {
    let sum = x;
    const extra = x.shape.length - shape.length;
    for (let axis = 0; axis < x.shape.length; axis++) {
      const wanted = axis < extra ? 1 : shape[axis - extra]!;
      if (wanted === 1 && sum.shape[axis] !== 1) sum = this.one('reduce', { kind: 'sum', axis }, [sum]);
    }
    const result = this.reshape(sum, shape);
    if (!sameShape(result.shape, shape)) {
      throw new ShapeError(`Cannot sum ${showShape(x.shape)} to ${showShape(shape)}.`, { op: 'sumTo', shapes: [showShape(x.shape), showShape(shape)] });
    }
    return result;
  }

  input(name: string, meta: Meta): Tensor {
    return (this.#inputs[name] ??= this.one('input', { name, meta }, []));
  }

  state(state: State): Tensor {
    let tensor = this.#states.get(state.id);
    if (tensor === undefined) this.#states.set(state.id, tensor = this.one('state', { state }, []));
    return tensor;
  }

  fill(value: number, shape: Shape, dtype: DType = 'f32'): Tensor {
    return this.one('fill', { value, shape, dtype }, []);
  }

  within<T>(name: string, body: () => T): T {
    const before = this.#scope;
    this.#scope = before === '' ? name : `${before}.${name}`;
    try {
      return body();
    } finally {
      this.#scope = before;
    }
  }

  /** The graph of these outputs and writes. */
  finish(outputs: Record<string, Tensor>, writes: readonly (readonly [State, Tensor])[] = []): Graph {
    for (const [name, t] of [...Object.entries(this.#inputs), ...Object.entries(outputs)]) {
      if (isBlockFormat(t.dtype)) refuse(t.node.op, [t], `"${name}" cannot go in or out in a block format: dequantise it first`);
    }
    return { inputs: { ...this.#inputs }, outputs, writes };
  }
}
