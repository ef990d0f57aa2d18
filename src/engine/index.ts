// Generation with a KV cache: prefill, decode, sampling, stopping, streaming. Layer: engine.
export { Decoder, type DecoderOptions, type NewToken } from './decoder.ts';
export { Engine, type EngineOptions, type GenerateOptions, type Part } from './engine.ts';
export { argmax, likeliest, logSumExp, sample, samplingSchema, type Alternative, type Sampling } from './sampler.ts';
export { StopMatcher } from './stop-matcher.ts';
