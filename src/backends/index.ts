// Executors: the native core, and the reference interpreter. Layer: backends.
// A browser imports reference/index.ts instead: the native core needs Node.js.
export type { ExecutableProgram, Executor, MemoryUse, ProgramHandle, RunOptions, TypedArray, Values } from './executor.ts';
export * from './native/index.ts';
export * from './profile.ts';
export * from './profiled-executor.ts';
export * from './reference/index.ts';
