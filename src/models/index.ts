// Model families, and what is derived from them. Layer: models.
// A browser imports the files it needs instead: all but model-folder.ts and weight-files.ts are pure.
export * from './config.ts';
export * from './family.ts';
export * from './initialise.ts';
export * from './model.ts';
export * from './model-folder.ts';
export * from './presets.ts';
export * from './registry.ts';
export * from './safetensors.ts';
export * from './trace.ts';
export type { MapFile } from './weight-files.ts';
