// The graph compiler: describe a computation once; differentiate, optimise, plan and encode it for any executor.
export * from './autodiff.ts';
export * from './compile.ts';
export * from './dtype.ts';
export * from './evaluate.ts';
export * from './expression.ts';
export * from './graph-builder.ts';
export * from './ndarray.ts';
export type { AttentionAttrs, OpAttrs, OpName } from './op-attrs.ts';
export * from './op-table.ts';
export type { Builder, Inputs, Op, Registry, Sample, SampleInput } from './op.ts';
export { differentiate, gradientOf } from './passes/differentiate.ts';
export * from './plan.ts';
export * from './program.ts';
export * from './rebuild.ts';
export * from './scalar.ts';
export * from './target.ts';
export * from './tensor.ts';
