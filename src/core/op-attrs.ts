// Names and attributes of all operators, written by hand: `typeof registry` would refer to itself through the gradient
// rules, which build graphs of the same operators. Layer: core.

import type { DType } from './dtype.ts';
import type { Expression } from './expression.ts';
import type { Meta, Shape } from './shape.ts';
import type { State } from './state.ts';

type None = Record<never, never>;

export interface OpAttrs {
  // sources
  input: { readonly name: string; readonly meta: Meta };
  state: { readonly state: State };
  fill: { readonly value: number; readonly shape: Shape; readonly dtype: DType };
  iota: { readonly length: Shape[number]; readonly dtype: DType };
  // views
  reshape: { readonly shape: Shape };
  split: { readonly axis: number; readonly sizes: readonly number[] };
  // primitives
  /** `shape` where the operands' broadcast alone would be smaller. */
  map: { readonly expression: Expression; readonly dtypes: readonly DType[]; readonly shape?: Shape };
  reduce: { readonly kind: 'sum' | 'max'; readonly axis: number };
  matmul: { readonly transA: boolean; readonly transB: boolean };
  gather: None;
  scatter: { readonly mode: 'set' | 'add' };
  concat: { readonly axis: number };
  permute: { readonly perm: readonly number[] };
  // named operators
  linear: None;
  rmsNorm: { readonly eps: number };
  rmsNormBackward: None;
  layerNorm: { readonly eps: number };
  layerNormBackward: None;
  rope: { readonly inverse: boolean; readonly interleaved: boolean };
  attention: AttentionAttrs;
  attentionBackward: AttentionAttrs;
  pagedAttention: AttentionAttrs;
  linearCrossEntropy: CrossEntropyAttrs;
  linearCrossEntropyGrad: CrossEntropyAttrs;
  adamw: { readonly beta1: number; readonly beta2: number; readonly eps: number; readonly weightDecay: number };
  globalNorm: None;
  dequantise: None;
  quantise: { readonly format: QuantisedFormat };
  route: { readonly topK: number; readonly nGroups: number; readonly topGroups: number };
  reorder: None;
  /** `transposed`: rows times the weights themselves, [M, K], not their transposes. */
  groupedLinear: { readonly transposed: boolean };
  groupedLinearGrad: None;
}

export interface AttentionAttrs {
  /** Factor on q·k, 1/√D as a rule. */
  readonly scale: number;
  /** How many tokens back a token sees, itself included; 0 for all. */
  readonly window: number;
  /** cap · tanh(score / cap); 0 for none. */
  readonly softcap: number;
  /** Most tokens of a document, where that is known: only the cost depends on it. */
  readonly span?: number;
}

export interface CrossEntropyAttrs {
  /** cap · tanh(logit / cap); 0 for none. */
  readonly softcap: number;
}

/** Block formats that `quantise` writes, in the order of their codes. */
export const QUANTISED = ['q8_0', 'q4_0', 'q4_k', 'q6_k', 'q5_k'] as const;
export type QuantisedFormat = (typeof QUANTISED)[number];
export const isQuantised = (dtype: DType): dtype is QuantisedFormat => (QUANTISED as readonly DType[]).includes(dtype);

export type OpName = keyof OpAttrs;
