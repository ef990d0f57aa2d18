// Model families, and what is derived from them. Layer: models.
// A browser imports the files it needs instead: all but model-folder.ts, gguf-file.ts,
// readable-file.ts and weight-files.ts are pure.
export { BlockEncoder, type EncodeBlocks } from './block-encoder.ts';
export * from './config.ts';
export * from './family.ts';
export * from './gguf.ts';
export * from './gguf-file.ts';
export * from './gguf-header.ts';
export { formatGguf, type GgufEntry, type GgufTensorToStore } from './gguf-write.ts';
export * from './initialise.ts';
export * from './model.ts';
export * from './model-folder.ts';
export * from './presets.ts';
export * from './registry.ts';
export * from './safetensors.ts';
export * from './special-ids.ts';
export * from './trace.ts';
export * from './foreign-files.ts';
export * from './hub-name.ts';
export { ReadableFile, type MapFile } from './readable-file.ts';
export { fileWithin } from './weight-files.ts';
export * from './weight-mixtures.ts';
export * from './weight-types.ts';
