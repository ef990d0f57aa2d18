// What a training run will need, said before it runs: memory to the byte, work, time, energy. Layer: train.

import { CapacityError } from '../base/errors.ts';
import type { Program, Target } from '../core/index.ts';
import { sizeOf } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import type { Calibration } from './calibration.ts';
import { availableBytes, compileToFit } from './capacity.ts';
import { checkTrainConfig, microBatches, type TrainConfig } from './config.ts';
import { compileTraining, trainable, trainingBytes, type TrainingBytes, type TrainingPrograms } from './programs.ts';

export interface PlanOptions {
  /** Measured times; without them the plan says nothing of time. */
  readonly calibration?: Calibration | undefined;
  /** Bytes that states and arena may take; by default what is free. */
  readonly memoryBytes?: number | undefined;
  /**
   * Power drawn while training, for the energy. By default 10 for each core in use: the package power of common desktop
   * and server processors over their cores is 4 to 15 (their data sheets' TDP). A rough model: idle power, memory and
   * power supply are not counted.
   */
  readonly watts?: number | undefined;
  /** Tokens of held-out text, for the time of the last validation, which reads all of it. */
  readonly validationTokens?: number | undefined;
}

const WATTS_PER_THREAD = 10;

/** What a run needs. Numbers that only a measurement gives are null without one. */
export interface TrainingPlan {
  /** Elements of all trained parameters. */
  readonly parameters: number;
  readonly bytes: TrainingBytes;
  /** Floating point operations of one optimizer step, a multiply-add counting two. */
  readonly flopsPerStep: number;
  /** Operands read and results written by its instructions. */
  readonly bytesPerStep: number;
  readonly tokensPerStep: number;
  readonly tokensPerSecond: number | null;
  /** Time of all steps and validations; checkpoints and samples come on top. */
  readonly seconds: number | null;
  readonly joules: number | null;
  /** Whether states and arena fit the memory that is free. */
  readonly fits: boolean;
  readonly availableBytes: number;
}

/**
 * Plans a run from its compiled programs; nothing is allocated. If it fits only with values computed twice, the plan is of
 * that; if it does not fit at all, it says what it would need.
 *
 * @throws {ConfigError} if numbers do not fit each other
 */
export function planTraining(model: Model, config: TrainConfig, target: Target, options: PlanOptions = {}): TrainingPlan {
  checkTrainConfig(config, model.dims);
  const have = options.memoryBytes ?? availableBytes(), { programs, fits } = compileEither(model, config, target, have);
  const { count } = microBatches(config), tokensPerStep = config.batchSize * config.contextLength;
  const perStep = (of: (program: Program) => number): number => of(programs.microFirst) + (programs.microNext === undefined ? 0 : (count - 1) * of(programs.microNext)) + of(programs.norm) + of(programs.update);
  const stepSeconds = options.calibration === undefined ? undefined : secondsOfStep(options.calibration, count);
  const seconds = stepSeconds === undefined ? null : stepSeconds * config.steps + secondsOfValidation(programs, config, options);
  return {
    parameters: trainable(model).reduce((sum, { meta }) => sum + sizeOf(meta.shape), 0),
    bytes: trainingBytes(programs),
    flopsPerStep: perStep(({ plan }) => plan.flops),
    bytesPerStep: perStep(({ plan }) => plan.bytesMoved),
    tokensPerStep,
    tokensPerSecond: stepSeconds === undefined ? null : tokensPerStep / stepSeconds,
    seconds,
    joules: seconds === null ? null : seconds * (options.watts ?? WATTS_PER_THREAD * target.threads),
    fits,
    availableBytes: have,
  };
}

function compileEither(model: Model, config: TrainConfig, target: Target, have: number): { programs: TrainingPrograms; fits: boolean } {
  try {
    return { programs: compileToFit(model, config, target, have), fits: true };
  } catch (error) {
    if (!(error instanceof CapacityError)) throw error;
    return { programs: compileTraining(model, config, target), fits: false };
  }
}

function secondsOfStep({ microFirst, microNext, update, overhead }: Calibration, count: number): number {
  return microFirst + (count - 1) * microNext + update + (count + 2) * overhead;
}

/** Validation computes forward only: its share of a micro-batch's time is taken to be its share of the work. */
function secondsOfValidation({ microFirst, evaluate }: TrainingPrograms, config: TrainConfig, { calibration, validationTokens }: PlanOptions): number {
  if (validationTokens === undefined) return 0;
  const { rows } = microBatches(config), { everySteps, batches, finalBatches = Infinity } = config.validation;
  const whole = Math.ceil(validationTokens / (rows * config.contextLength)), times = everySteps === 0 ? 0 : Math.ceil(config.steps / everySteps) - 1;
  const one = calibration!.overhead + (calibration!.microFirst * evaluate.plan.flops) / microFirst.plan.flops;
  return one * (times * Math.min(batches, whole) + Math.min(finalBatches, whole));
}
