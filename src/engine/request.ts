// What is asked of an engine, and what comes back. Layer: engine.

import type { Constraint } from './constraint.ts';
import type { Alternative } from './likelihood.ts';
import type { LogitBias, Sampling } from './sampler.ts';

export interface GenerateOptions extends Partial<Sampling> {
  /** Most new tokens, 128. */
  readonly maxTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer, besides the model's own. */
  readonly stopIds?: readonly number[];
  /** Added to the logits of some tokens: −100 forbids, in practice, and 100 all but forces. */
  readonly logitBias?: LogitBias;
  /**
   * What the answer must be. It is valid if it ends with `stop`; with `length` it was cut short. The request uses it up: give
   * each its own (`fork`).
   */
  readonly constraint?: Constraint;
  /** Report log-probabilities, with this many alternatives for each token. */
  readonly logprobs?: number;
  /** Goes before requests of less, and takes memory from them if need be; 0. */
  readonly priority?: number;
  /** Prompts share what is computed for their common beginning only with requests of the same salt: one a tenant. */
  readonly cacheSalt?: string;
  readonly signal?: AbortSignal;
}

/** A piece of an answer. Text comes when its characters are whole, so some parts have none. */
export interface Part {
  readonly text: string;
  readonly ids: readonly number[];
  /** Of the ids, under the model's own distribution; empty unless asked for. */
  readonly logprobs: readonly number[];
  readonly alternatives: readonly (readonly Alternative[])[];
  /** On the last part only. `stop`: a stop token or text; `length`: no room was left. */
  readonly finishReason?: 'stop' | 'length';
  /** On the last part only. */
  readonly usage?: Usage;
}

/** Tokens of a request. */
export interface Usage {
  readonly promptTokens: number;
  /** Of the prompt, those whose keys and values were there already. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What an engine is doing. */
export interface EngineStats {
  /** Requests with a place in the batch. */
  readonly running: number;
  readonly waiting: number;
  /** Positions of one block of the KV cache. */
  readonly blockSize: number;
  readonly totalBlocks: number;
  /** Blocks that running requests hold. */
  readonly usedBlocks: number;
  /** Blocks that are kept for prompts that begin alike. */
  readonly cachedBlocks: number;
  /** Prompt tokens since the start, and those of them found in the cache. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly steps: number;
  /** Requests that gave their blocks back for others, and began again. */
  readonly preemptions: number;
  /** Tokens that speculation proposed, and those of them that were right. */
  readonly draftTokens: number;
  readonly acceptedTokens: number;
}
