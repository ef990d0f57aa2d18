// What an operator is: one definition with its shape rule, gradient, cost and reference. Layer: core.

import type { DType } from './dtype.ts';
import type { Expression } from './expression.ts';
import type { OpAttrs, OpName } from './op-attrs.ts';
import type { NDArray } from './ndarray.ts';
import type { ScalarFn } from './scalar.ts';
import type { Meta, Shape } from './shape.ts';
import type { State } from './state.ts';
import type { Tensor } from './tensor.ts';
import type { Target } from './target.ts';

/** An operand or a list of them; an optional one that is not there is null. */
export type Inputs = readonly (Tensor | null)[];

/** Typed operator calls. Gradient rules and decompositions get this instead of importing each other's files. */
export interface Builder {
  /** Applies an operator. `dtypes` overrides the inferred floating output types (f32 ↔ bf16). */
  apply<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: Inputs, dtypes?: readonly (DType | undefined)[]): Tensor[];
  /** The first output of `apply`. */
  one<K extends OpName>(op: K, attrs: OpAttrs[K], inputs: Inputs, dtype?: DType): Tensor;
  /** Applies an expression elementwise, inputs broadcast; its type is f32 unless said otherwise. */
  map(expression: Expression, inputs: readonly Tensor[], dtype?: DType): Tensor;
  /** One scalar function elementwise: `b.call('add', x, y)`; numbers are constants. */
  call(fn: ScalarFn, ...args: (Tensor | number)[]): Tensor;
  cast(x: Tensor, dtype: DType): Tensor;
  /** Repeats along axes of 1, and new leading axes, up to `shape`. */
  broadcast(x: Tensor, shape: Shape): Tensor;
  reshape(x: Tensor, shape: Shape): Tensor;
  /** Sums over axes until the shape is `shape`: the reverse of a broadcast. */
  sumTo(x: Tensor, shape: Shape): Tensor;
  input(name: string, meta: Meta): Tensor;
  state(state: State): Tensor;
  fill(value: number, shape: Shape, dtype?: DType): Tensor;
  /** Runs `body` with `name` appended to the scope of what it makes. */
  within<T>(name: string, body: () => T): T;
}

/**
 * Gradient rule: from the gradients of the outputs to those of the inputs.
 *
 * @param wanted which inputs need one; others may be null
 */
export type Vjp<A> = (b: Builder, a: A, x: Inputs, y: readonly Tensor[], dy: Inputs, wanted: readonly boolean[]) => (Tensor | null)[];

/** Attributes as numbers of the program format, and back. Shapes are not coded: operands carry them. */
export interface AttrCodec<A> {
  encode(a: A): number[];
  decode(numbers: readonly number[], x: readonly (Meta | null)[], y: readonly Meta[]): A;
}

/** An example for tests and timings of an operator: inputs by meta, with what the values must satisfy. */
export interface Sample<A> {
  readonly name: string;
  readonly attrs: A;
  readonly inputs: readonly (SampleInput | null)[];
}

/** `fill` makes integer inputs valid (row numbers, positions); floating inputs are standard normal by default. */
export interface SampleInput {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly fill?: (i: number, random: () => number) => number;
}

/** What is known of the inputs' integers when an operator's work is counted: values, or null for an operand that is not. */
export type Known = readonly (ArrayLike<number> | null)[];

/** Some of an operator's operands, by number: a list, or a rule where an operator takes any number of them. */
export interface Operands {
  includes(operand: number): boolean;
}

interface Rules<A> {
  readonly attrs: AttrCodec<A>;
  /** Output types. @throws {ShapeError} saying what does not fit what */
  infer(a: A, x: readonly (Meta | null)[]): Meta[];
  /** null says "not differentiable, on purpose". */
  readonly vjp: Vjp<A> | null;
  /** Floating point operations, a multiply-add counting two; `known` where they depend on integers. */
  flops(a: A, x: readonly (Meta | null)[], y: readonly Meta[], known?: Known): number;
  /** Bytes that are read and written, where that is not each operand once: rows of a table. */
  bytes?(a: A, x: readonly (Meta | null)[], y: readonly Meta[], known?: Known): number;
  /** Scratch bytes that the native kernel needs. */
  workspace?(a: A, x: readonly (Meta | null)[], y: readonly Meta[], t: Target): number;
  /** Outputs that are the memory of an input, as a contract: the planner fails rather than copies. */
  readonly inPlace?: readonly (readonly [input: number, output: number])[];
  /** Outputs that may take the memory of an input whose last use this is. */
  readonly reuse?: readonly (readonly [input: number, output: number])[];
  /** The optional input that is added to output `to`: a sum after the operator fuses into it (`when` its attributes allow). */
  readonly addend?: { readonly input: number; readonly to: number; when?(a: A): boolean };
  /** Outputs that only the gradient rule reads (a row's statistics): they have no gradient of their own. */
  readonly residuals?: readonly number[];
  /** Inputs that run in the compute dtype under mixed precision, and outputs that then have it. */
  readonly compute?: { readonly inputs: Operands; readonly outputs: readonly number[] };
  /** Outputs whose floating type the kernel can write directly, so that a cast after it vanishes. */
  readonly castable?: readonly number[];
  /** Another operator of the same inputs, each of whose outputs this one computes too (`outs[i]` is its output i). */
  readonly covers?: { readonly op: OpName; readonly inputs: readonly number[]; readonly outs: readonly number[] };
  /** Outputs that are bytes (u8), which other operators do not compute. */
  readonly bytesOut?: Operands;
  /** Inputs that may be in a block format. */
  readonly blocks?: Operands;
  readonly samples: readonly Sample<A>[];
}

/** An output that is a window on the input's memory: rows and a column offset, in elements. */
export interface ViewSpec {
  readonly offset: number;
  /** Elements between rows of the first axis. */
  readonly stride0: number;
}

/** Where a view's input lies. `stride0` is that of its first axis. */
export interface ViewSource {
  readonly meta: Meta;
  readonly stride0: number;
}

export type Op<A> =
  & Rules<A>
  & (
    | { readonly kind: 'primitive'; reference(a: A, x: readonly (NDArray | null)[], y: readonly Meta[]): NDArray[] }
    /** `view` returns null where these strides cannot express it: a copy is made first. */
    | { readonly kind: 'view'; view(a: A, x: ViewSource, y: Meta, index: number): ViewSpec | null; reference(a: A, x: readonly (NDArray | null)[], y: readonly Meta[]): NDArray[] }
    | { readonly kind: 'named'; decompose(b: Builder, a: A, x: Inputs): Tensor[] }
    /** Inputs and states: values that a run is given. */
    | { readonly kind: 'source' }
  );

export type Registry = { readonly [K in OpName]: Op<OpAttrs[K]> };

/** Codec of attributes that are all numbers, booleans, or one of a list of words. */
export function attrs<A extends object>(fields: { readonly [K in keyof A]: 'number' | 'boolean' | readonly A[K][] }): AttrCodec<A> {
  const names = Object.keys(fields) as (keyof A)[];
  return {
    encode: (a) =>
      names.map((name) => {
        const field = fields[name], value = a[name];
        return typeof field === 'string' ? Number(value) : (field as readonly unknown[]).indexOf(value);
      }),
    decode: (numbers) =>
      Object.fromEntries(names.map((name, i) => {
        const field = fields[name], number = numbers[i]!;
        return [name, field === 'number' ? number : field === 'boolean' ? number !== 0 : (field as readonly unknown[])[number]];
      })) as A,
  };
}

/** Codec of an operator without attributes. */
export const NO_ATTRS: AttrCodec<Record<never, never>> = { encode: () => [], decode: () => ({}) };
