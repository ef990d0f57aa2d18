// The loss on held-out text: by token, and by byte where the bytes are known. Layer: train.

import type { Executor, ProgramHandle, Values } from '../backends/executor.ts';
import { sequentialBatches, type TokenShards } from '../data/index.ts';
import { positionsOf } from './step-batches.ts';

export interface ValidationOptions {
  readonly executor: Executor;
  /** A loaded program of `scoreGraph` for batchSize · contextLength tokens. */
  readonly program: ProgramHandle;
  readonly shards: TokenShards;
  readonly batchSize: number;
  readonly contextLength: number;
  /** At most so many batches, spread over the text; all by default. */
  readonly batches?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a validation found. */
export interface Validation {
  /** Mean of −log p over tokens, in nats. */
  readonly loss: number;
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** Bits for each byte of UTF-8 text, where the shards say how many bytes they stand for. */
  readonly bitsPerByte: number | undefined;
}

/**
 * Mean loss over held-out text, read in order. Sums are in float64 and in the order of the text, so that the result does
 * not depend on the number of threads. While one batch computes, the next is read.
 */
export async function validate(options: ValidationOptions): Promise<Validation> {
  const { executor, program, shards, batchSize, contextLength, batches, signal } = options;
  let total = 0, tokens = 0, ahead: { run: Promise<Values>; weights: Float32Array } | undefined;
  const take = async ({ run, weights }: NonNullable<typeof ahead>): Promise<void> => {
    const { logprob } = await run;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue;
      total -= logprob![i]!;
      tokens++;
    }
  };
  const limit = batches === undefined ? {} : { limit: batches };
  for (const batch of sequentialBatches({ shards, batchSize, contextLength, ...limit })) {
    const { tokens: ids, targets, starts } = batch;
    const run = executor.run(program, { tokens: ids, targets, starts, positions: positionsOf(starts) }, { signal });
    run.catch(() => undefined); // it is awaited below, one batch later
    const before = ahead;
    ahead = { run, weights: batch.weights.slice() };
    if (before !== undefined) await take(before);
  }
  if (ahead !== undefined) await take(ahead);
  const loss = total / Math.max(1, tokens);
  return { loss, tokens, bitsPerByte: bitsPerByte(loss, shards) };
}

/** Bits a byte of a mean loss in nats a token, by the shards' own numbers of tokens and bytes. */
function bitsPerByte(loss: number, shards: TokenShards): number | undefined {
  const { textBytes, documents } = shards.manifest;
  if (!(textBytes > 0)) return undefined;
  // Every token is a target but the first; without an end-of-text id, the first of each document.
  const targets = shards.length - (shards.endOfText === undefined ? documents : 1);
  return (loss * targets) / (Math.LN2 * textBytes);
}
