// Programs in plain TypeScript, in float64. Layer: backends.

export { ReferenceExecutor } from './executor.ts';
