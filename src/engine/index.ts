// Generation with a KV cache: prefill, decode, sampling, stopping, streaming. Layer: engine.
export type { Constraint } from './constraint.ts';
export { Decoder, type DecoderOptions, type NewToken } from './decoder.ts';
export type { Drafter } from './drafter.ts';
export { Engine, type EngineOptions } from './engine.ts';
export * from './grammar/index.ts';
export { argmax, likeliest, logSumExp, type Alternative } from './likelihood.ts';
export { ModelPool, type Lease, type ModelSource, type PoolEntry } from './model-pool.ts';
export type { EngineStats, GenerateOptions, Part, Usage } from './request.ts';
export { sample, Sampler, SamplerMemory, samplingSchema, type LogitBias, type Sampling } from './sampler.ts';
export { StopMatcher } from './stop-matcher.ts';
