// One optimizer step on an executor: gradients, a look at them, the update. Layer: train.

import type { Executor, ProgramHandle } from '../backends/executor.ts';
import type { TokenShards } from '../data/index.ts';
import { gradientOf, type State } from '../core/index.ts';
import type { Model } from '../models/index.ts';
import type { TrainConfig } from './config.ts';
import { listPrograms, trainable, type TrainingPrograms } from './programs.ts';
import { microBatches } from './config.ts';
import type { StepBatch } from './step-batches.ts';
import { validate, type Validation } from './validation.ts';

/** What a step's forward and backward passes found; no parameter was touched. */
export interface Gradients {
  /** Mean of −log p over the step's targets, in nats. */
  readonly loss: number;
  readonly gradNorm: number;
  /** The factor that clips, for `update`. */
  readonly gradScale: number;
}

/** Programs loaded into an executor. */
export class StepRunner {
  readonly executor: Executor;
  /** The States of all programs. */
  readonly states: readonly State[];
  readonly #model: Model;
  readonly #config: TrainConfig;
  readonly #handles: Readonly<Record<keyof TrainingPrograms, ProgramHandle | undefined>>;

  /** @throws {CapacityError} if the memory is not there */
  constructor(executor: Executor, model: Model, config: TrainConfig, programs: TrainingPrograms) {
    this.executor = executor;
    this.#model = model;
    this.#config = config;
    this.states = [...new Map(listPrograms(programs).flatMap((program) => program.states.map((state) => [state.id, state] as const))).values()];
    const loaded = new Map(listPrograms(programs).map((program) => [program, executor.load(program)]));
    const handle = (name: keyof TrainingPrograms): ProgramHandle | undefined => {
      const program = programs[name];
      return program === undefined ? undefined : loaded.get(program);
    };
    this.#handles = { microFirst: handle('microFirst'), microNext: handle('microNext'), norm: handle('norm'), update: handle('update'), evaluate: handle('evaluate') };
  }

  /** Asks for all passes of a step at once; inputs are copied before this returns. */
  async gradients(batch: StepBatch): Promise<Gradients> {
    const { microFirst, microNext, norm } = this.#handles;
    const runs = batch.micro.map((inputs, i) => this.executor.run((i === 0 ? microFirst : microNext)!, inputs));
    const [{ gradNorm, gradScale }, ...losses] = await Promise.all([this.executor.run(norm!, {}), ...runs]);
    return { loss: losses.reduce((sum, { loss }) => sum + loss![0]!, 0), gradNorm: gradNorm![0]!, gradScale: gradScale![0]! };
  }

  /** @param t number of this update, from 1 */
  async update(lr: number, t: number, gradScale: number): Promise<void> {
    await this.executor.run(this.#handles.update!, { lr: Float32Array.of(lr), step: Int32Array.of(t), gradScale: Float32Array.of(gradScale) });
  }

  /** The loss on held-out text. */
  validate(shards: TokenShards, batches: number | undefined, signal?: AbortSignal): Promise<Validation> {
    const { rows } = microBatches(this.#config), { contextLength } = this.#config;
    return validate({ executor: this.executor, program: this.#handles.evaluate!, shards, batchSize: rows, contextLength, batches, signal });
  }

  /** The first parameter, in the model's order, whose gradient is not finite. */
  firstNonFinite(): State | undefined {
    return trainable(this.#model).find((parameter) => {
      const gradient = this.executor.state(gradientOf(parameter).id);
      for (let i = 0; i < gradient.length; i++) if (!Number.isFinite(gradient[i])) return true;
      return false;
    });
  }

  /** Forgets the programs, not the states. */
  unload(): void {
    for (const handle of Object.values(this.#handles)) if (handle !== undefined) this.executor.unload(handle);
  }
}
