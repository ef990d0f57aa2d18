// Model families, and what is derived from them. Layer: models.
export * from './family.ts';
export * from './initialise.ts';
export * from './model.ts';
export * from './registry.ts';
export * from './trace.ts';
