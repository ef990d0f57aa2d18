// How fast a run will be, measured by running its own programs for a few seconds. Layer: cli.

import type { Executor } from '../backends/executor.ts';
import type { Model } from '../models/index.ts';
import { compileTraining, type TrainConfig, type TrainingPrograms } from '../train/index.ts';
import { microBatches } from '../train/config.ts';

/** What a measurement found. */
export interface Speed {
  readonly secondsPerStep: number;
  /** Of one micro-batch of validation. */
  readonly secondsPerEvaluation: number;
  readonly tokensPerSecond: number;
}

export interface SpeedOptions {
  readonly executor: Executor;
  readonly model: Model;
  readonly config: TrainConfig;
  readonly programs?: TrainingPrograms;
  /** How long to measure; at least two steps are run. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

/**
 * Times whole optimizer steps on made-up tokens. Weights begin as zeros: the time of dense kernels does not depend on
 * the values. States are zeros again when it ends.
 */
export async function measureSpeed({ executor, model, config, seconds = 3, signal, programs = compileTraining(model, config, executor.target()) }: SpeedOptions): Promise<Speed> {
  const { rows, count } = microBatches(config), size = rows * config.contextLength, { vocabSize } = model.dims;
  const tokens = Int32Array.from({ length: size }, (_, i) => (i * 2654435761) % vocabSize), starts = Int32Array.from({ length: size }, (_, i) => i - (i % config.contextLength));
  const score = { tokens, targets: tokens, starts, positions: Int32Array.from(starts, (start, i) => i - start) };
  const inputs = { ...score, weights: new Float32Array(size).fill(1 / (size * count)) };
  const handles = { first: executor.load(programs.microFirst), next: programs.microNext && executor.load(programs.microNext), norm: executor.load(programs.norm), update: executor.load(programs.update), evaluate: executor.load(programs.evaluate) };
  const step = async (): Promise<void> => {
    const micro = Array.from({ length: count }, (_, i) => executor.run(i === 0 ? handles.first : handles.next!, inputs, { signal }));
    await Promise.all([...micro, executor.run(handles.norm, {}, { signal })]);
    await executor.run(handles.update, { lr: Float32Array.of(0), step: Int32Array.of(1), gradScale: Float32Array.of(1) }, { signal });
  };
  try {
    await step(); // touches every page once
    const secondsPerStep = await timed(step, seconds);
    const secondsPerEvaluation = await timed(async () => void (await executor.run(handles.evaluate, score, { signal })), seconds / 10);
    return { secondsPerStep, secondsPerEvaluation, tokensPerSecond: (size * count) / secondsPerStep };
  } finally {
    for (const handle of Object.values(handles)) if (handle !== undefined) executor.unload(handle);
    for (const state of programs.update.states) executor.state(state.id).fill(0);
  }
}

/** Median seconds of a job that is repeated for a while, three times at least: a moment's disturbance does not count. */
async function timed(job: () => Promise<void>, seconds: number): Promise<number> {
  const times: number[] = [], end = performance.now() + 1000 * seconds;
  while (times.length < 3 || performance.now() < end) {
    const began = performance.now();
    await job();
    times.push((performance.now() - began) / 1000);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
