// Layers: small functions over a Context, of which model families are made. Layer: nn.
export type { Context, Traced } from './context.ts';
export * from './decoder.ts';
export * from './experts.ts';
export * from './heads.ts';
export * from './linear.ts';
export * from './mlp.ts';
export * from './norm.ts';
export * from './rope.ts';
export * from './rope-scaling.ts';
