// What a model needs to run and to be trained on this machine, from its compiled programs. Layer: cli.

import type { Target } from '../core/index.ts';
import { bytesOf, compile } from '../core/index.ts';
import { cachedGraph, type Model } from '../models/index.ts';
import { availableBytes, planTraining, trainSchema } from '../train/index.ts';

/** Memory to generate text with one sequence of so many positions. */
export interface RunNeeds {
  readonly context: number;
  readonly weights: number;
  readonly kvCache: number;
  readonly workspace: number;
  readonly total: number;
  readonly fits: boolean;
}

/** Memory to train all weights in f32 with AdamW, a row of so many tokens at a time. */
export interface TrainNeeds {
  readonly context: number;
  readonly weights: number;
  readonly gradients: number;
  readonly moments: number;
  readonly activations: number;
  readonly workspace: number;
  readonly total: number;
  readonly fits: boolean;
}

/** What `athanor generate` asks for unless it is told otherwise. */
const DEFAULT_POSITIONS = 2048, PREFILL_TOKENS = 256;

/** A row of fine-tuning data is mostly shorter than the model's context. */
const TRAIN_TOKENS = 512;

/**
 * Memory to run at the positions that commands use by default, and at the model's own.
 *
 * @param model with the types that its matrices are computed in
 */
export function runNeeds(model: Model, target: Target): RunNeeds[] {
  const { maxPositions } = model.dims, have = availableBytes();
  return [...new Set([Math.min(DEFAULT_POSITIONS, maxPositions), maxPositions])].map((context) => {
    const { plan } = compile(cachedGraph(model, { maxTokens: Math.min(PREFILL_TOKENS, context), maxSeqs: 1, maxLength: context, slots: context }), { target, compute: 'f32' });
    const { weights, buffers, caches, arena, inputs } = plan.bytes, total = weights + buffers + caches + arena + inputs;
    return { context, weights: weights + buffers, kvCache: caches, workspace: arena + inputs, total, fits: total <= have };
  });
}

/** Memory to fine-tune every weight. @param full the model in f32 */
export function trainNeeds(full: Model, target: Target): TrainNeeds {
  const context = Math.min(TRAIN_TOKENS, full.dims.maxPositions);
  const config = trainSchema.parse({ steps: 1000, batchSize: 1, contextLength: context, optimizer: { kind: 'adamw' } });
  const { bytes, fits } = planTraining(full, config, target);
  const { weights, gradients, moments, activations, workspace, peak } = bytes;
  return { context, weights, gradients, moments, activations, workspace, total: peak, fits };
}

/** Bytes of a key and a value of every layer, for one position. */
export function cacheBytesPerToken({ dims }: Model): number {
  return bytesOf({ shape: [2 * dims.nLayers, dims.nKvHeads, dims.headSize], dtype: 'f32' });
}
