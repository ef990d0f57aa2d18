// The `train` section of a recipe. Layer: train (pure).

import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import type { ModelDims } from '../models/index.ts';
import { optimizerSchema } from './optimizer.ts';
import { scheduleSchema } from './schedule.ts';

const count = z.int().positive().max(2 ** 31 - 1);
const cadence = z.int().min(0);

/** What a recipe can say about training; the descriptions are the command line's help. */
export const trainSchema = z.strictObject({
  steps: count.describe('optimizer steps'),
  batchSize: count.default(8).describe('rows of one optimizer step'),
  microBatchSize: count.optional().describe('rows computed at a time, a divisor of batchSize (default: all): fewer need less memory'),
  contextLength: count.default(256).describe('tokens of a row'),
  compute: z.enum(['f32', 'bf16']).default('f32').describe('what matrix products compute in; weights stay f32'),
  learningRate: z.number().positive().default(1e-3).describe('peak of the schedule'),
  schedule: scheduleSchema.prefault({}),
  optimizer: optimizerSchema.prefault({}),
  validation: z.strictObject({
    everySteps: cadence.default(250).describe('steps from one validation to the next; 0 for only at the end'),
    batches: count.default(20).describe('micro-batches of one validation, spread over the held-out text'),
    finalBatches: count.optional().describe('micro-batches of the last validation (default: all of the held-out text)'),
  }).prefault({}),
  checkpoint: z.strictObject({
    everySteps: cadence.default(250).describe('steps from one checkpoint to the next; 0 for only at the end'),
    keep: count.default(2).describe('checkpoints that are kept'),
  }).prefault({}),
  samples: z.strictObject({
    everySteps: cadence.default(500).describe('steps from one set of samples to the next; 0 for never'),
  }).prefault({}),
  numerics: z.strictObject({
    maxSkipped: count.default(5).describe('steps in a row whose loss or gradient is not finite before the run fails'),
    spikeDeviations: z.number().positive().default(10).describe('robust standard deviations above the median loss that count as a spike'),
    rollback: z.boolean().default(false).describe('after a spike, go back to the last checkpoint and leave its data out'),
    maxRollbacks: count.default(3).describe('rollbacks before the run fails'),
  }).prefault({}),
});

/** A resolved `train` section. */
export type TrainConfig = z.infer<typeof trainSchema>;

/** Keys whose values do not change a run's numbers: a run may be resumed with others. */
export const FREE_ON_RESUME: readonly string[] = ['train.checkpoint', 'train.samples', 'train.validation'];

/** Rows of a micro-batch, and how many make a step. */
export function microBatches({ batchSize, microBatchSize = batchSize }: Pick<TrainConfig, 'batchSize' | 'microBatchSize'>): { rows: number; count: number } {
  return { rows: microBatchSize, count: batchSize / microBatchSize };
}

/** @throws {ConfigError} naming the numbers that do not fit each other */
export function checkTrainConfig(config: TrainConfig, dims: ModelDims): void {
  const { batchSize, microBatchSize = batchSize, contextLength, steps, schedule } = config;
  const refuse = (key: string, why: string): never => {
    throw new ConfigError(`Cannot train: ${why}.`, { path: `train.${key}` });
  };
  if (batchSize % microBatchSize !== 0) refuse('microBatchSize', `train.microBatchSize ${microBatchSize} must divide train.batchSize ${batchSize} evenly`);
  if (contextLength > dims.maxPositions) {
    refuse('contextLength', `train.contextLength is ${contextLength}, but the model tells only ${dims.maxPositions} positions apart: shorten it, or give the model more positions`);
  }
  if (schedule.warmupSteps >= steps) refuse('schedule.warmupSteps', `train.schedule.warmupSteps ${schedule.warmupSteps} must be less than train.steps ${steps}`);
  if (microBatchSize * contextLength > 2 ** 31 - 1) refuse('microBatchSize', `a micro-batch of ${microBatchSize} × ${contextLength} tokens is too large`);
}
