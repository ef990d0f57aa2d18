// compile: the passes in their order, from a traced graph to a program. Layer: core.

import { copyViews } from './passes/copy-views.ts';
import { encode } from './passes/encode.ts';
import { fuse } from './passes/fuse.ts';
import { lower } from './passes/lower.ts';
import { planMemory } from './passes/plan-memory.ts';
import { precision } from './passes/precision.ts';
import { differentiate } from './passes/differentiate.ts';
import { rematerialise } from './passes/rematerialise.ts';
import { schedule } from './passes/schedule.ts';
import { simplify } from './passes/simplify.ts';
import { planOf } from './plan.ts';
import type { OpName } from './op-attrs.ts';
import type { Program } from './program.ts';
import type { Target } from './target.ts';
import type { Meta } from './shape.ts';
import type { Graph, Tensor } from './tensor.ts';

export interface CompileOptions {
  readonly target: Target;
  /** What matrix products compute in; parameters, sums and statistics stay f32. */
  readonly compute?: 'f32' | 'bf16';
  /** Adds the backward pass of an output; `accumulate` adds to the gradients that are there. */
  readonly gradients?: { readonly loss: string; readonly accumulate: boolean };
  /** Bytes that the arena may take: values are computed twice rather than kept, where that is needed. */
  readonly arenaBudget?: number;
  /** What the target executes as one instruction; everything, unless said otherwise. */
  readonly hasKernel?: (op: OpName) => boolean;
  /** Sees the graph after each pass, by the pass's name: for printing. */
  readonly onPass?: (pass: string, graph: Graph) => void;
}

/** Compiles a graph for a target. @throws {CapacityError} if no plan fits the budget */
export function compile(graph: Graph, options: CompileOptions): Program {
  const { target, compute = 'f32', hasKernel = () => true } = options;
  let now = graph;
  const pass = (name: string, apply: (g: Graph) => Graph): void => {
    now = apply(now);
    options.onPass?.(name, now);
  };
  pass('precision', (g) => precision(g, compute));
  if (options.gradients) pass('differentiate', (g) => differentiate(g, options.gradients!));
  pass('simplify', simplify);
  pass('lower', (g) => lower(g, hasKernel));
  pass('fuse', (g) => fuse(simplify(g)));
  pass('copy-views', copyViews);
  if (options.arenaBudget !== undefined) pass('rematerialise', (g) => rematerialise(g, target, options.arenaBudget!));
  const layout = planMemory(now, schedule(now), target);
  const { bytes, dims } = encode(now, layout);
  return {
    target,
    bytes,
    dims,
    plan: planOf(now, layout),
    states: layout.states,
    inputs: metas(now.inputs),
    outputs: metas(now.outputs),
  };
}

function metas(tensors: Readonly<Record<string, Tensor>>): Record<string, Meta> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { shape, dtype }]) => [name, { shape, dtype }]));
}
