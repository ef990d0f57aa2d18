// Whether a run fits the memory that there is, said before anything is allocated. Layer: train.

import { CapacityError } from '../base/errors.ts';
import type { Target } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import type { TrainConfig } from './config.ts';
import { compileTraining, stateBytes, trainingBytes, type TrainingPrograms } from './programs.ts';

/** What is left for JavaScript, batches, files in flight and the system: never planned away. */
const RESERVE_BYTES = 256 * 2 ** 20;

/** Bytes that this process may still take, within its control group's limit. */
export function availableBytes(): number {
  return Math.max(0, process.availableMemory() - RESERVE_BYTES);
}

/**
 * Compiles a run so that it fits: as it is if that fits, otherwise with values computed twice.
 *
 * @param have bytes for states and arena
 * @throws {CapacityError} if it does not fit, with what it needs and a remedy
 */
export function compileToFit(model: Model, config: TrainConfig, target: Target, have: number): TrainingPrograms {
  const least = stateBytes(model, config);
  if (least > have) throw tooLarge(`weights, gradients and moments alone need ${mebibytes(least)}`, least, have);
  const programs = compileTraining(model, config, target), { peak, arena, states } = trainingBytes(programs);
  if (peak <= have) return programs;
  try {
    return compileTraining(model, config, target, have - states);
  } catch (error) {
    if (!(error instanceof CapacityError)) throw error;
    throw tooLarge(`it needs ${mebibytes(peak)} (${mebibytes(states)} of weights, gradients and moments, ${mebibytes(arena)} of activations), and no order of computing makes it fit`, peak, have);
  }
}

function tooLarge(why: string, need: number, have: number): CapacityError {
  return new CapacityError(`Cannot train this model here: ${why}, but ${mebibytes(have)} are free. Lower train.microBatchSize or train.contextLength, choose a smaller model, or close other programs.`, { need, have });
}

/** Bytes as MiB, for people. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MiB`;
}
