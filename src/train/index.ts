// Training: from token shards to a model folder, exactly resumable. Layer: train.
export { availableBytes } from './capacity.ts';
export { findCheckpoint, listCheckpoints, loadCheckpoint, saveCheckpoint, type CheckpointFolder, type TrainingState } from './checkpoint.ts';
export { checkTrainConfig, microBatches, trainSchema, type TrainConfig } from './config.ts';
export { LossWatch } from './loss-watch.ts';
export { readMetrics, type MetricsLine } from './metrics-log.ts';
export { momentsOf, normGraph, optimizerSchema, updateGraph, type OptimizerConfig } from './optimizer.ts';
export { compileTraining, trainingBytes, type TrainingBytes, type TrainingPrograms } from './programs.ts';
export { learningRate, scheduleSchema, type ScheduleConfig } from './schedule.ts';
export { positionsOf, StepBatches, type MicroBatch, type StepBatch } from './step-batches.ts';
export { train, type SampleContext, type TrainEvent, type TrainOptions, type TrainResult } from './trainer.ts';
export { validate, type Validation, type ValidationOptions } from './validation.ts';
export { calibrate, type Calibration } from './calibration.ts';
export { planTraining, type PlanOptions, type TrainingPlan } from './plan.ts';
