// The contract of the compiler in types: what must compile, and what must not. contract.test.ts runs tsc on this file.

import type { Builder, Graph, Op, OpAttrs, OpName, Registry, Sample, State, Tensor } from '../../src/core/index.ts';
import { GraphBuilder, evaluateOp, expression, gradients } from '../../src/core/index.ts';

declare const b: Builder;
declare const x: Tensor;
declare const graph: Graph;
declare const state: State;

/** Fails to compile unless both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(holds: Same<A, B>): void => void holds;

export function applications(): void {
  same<ReturnType<typeof b.one>, Tensor>(true);
  same<ReturnType<typeof b.apply>, Tensor[]>(true);
  b.one('rmsNorm', { eps: 1e-5 }, [x, x]);
  b.one('linear', {}, [x, x, null, null], 'bf16');
  b.apply('attention', { scale: 1, window: 0, softcap: 0 }, [x, x, x, x]);
  // @ts-expect-error there is no such operator
  b.one('rmsnorm', { eps: 1e-5 }, [x, x]);
  // @ts-expect-error an attribute is missing
  b.one('rmsNorm', {}, [x, x]);
  // @ts-expect-error an attribute is misspelt
  b.one('rmsNorm', { epsilon: 1e-5 }, [x, x]);
  // @ts-expect-error an attribute has another type
  b.one('reduce', { kind: 'mean', axis: 0 }, [x]);
  // @ts-expect-error a dtype that does not exist
  b.cast(x, 'f64');
  // @ts-expect-error operands are tensors
  b.one('permute', { perm: [0] }, [3]);
  // @ts-expect-error no such scalar function
  b.call('relu', x);
  // @ts-expect-error the attributes of another operator
  evaluateOp('matmul', { eps: 1 }, []);
}

export function readOnly(): void {
  // @ts-expect-error a graph is not changed in place
  graph.outputs['y'] = x;
  // @ts-expect-error nor a tensor
  x.dtype = 'bf16';
  // @ts-expect-error nor the attributes of a state
  state.trainable = false;
}

export function absence(): void {
  // @ts-expect-error no output is sure to be there
  const output: Tensor = graph.outputs['y'];
  void output;
}

/** A registry has every operator with the rules for its own attributes. */
export function registry(all: Registry): void {
  same<keyof Registry, OpName>(true);
  same<Registry['rope'], Op<OpAttrs['rope']>>(true);
  same<(typeof all.rope.samples)[number], Sample<OpAttrs['rope']>>(true);
  const { rope: _rope, ...others } = all;
  // @ts-expect-error an operator that is missing does not compile
  const lacking: Registry = others;
  void lacking;
}

/** A gradient rule must be there, null where there is none on purpose. */
export function missingGradient(all: Registry): void {
  const { vjp: _vjp, ...rules } = all.fill;
  // @ts-expect-error no rule at all does not compile
  const lacking: Op<OpAttrs['fill']> = rules;
  void lacking;
}

export function functions(): void {
  same<ReturnType<typeof gradients>, Tensor[]>(true);
  gradients(new GraphBuilder(), x, [x]);
  expression(2, (e, p, q) => e.call('add', p!, q!));
  // @ts-expect-error an expression's builder returns a value, not a tensor
  expression(1, () => x);
}
