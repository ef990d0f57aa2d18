// Training: steps until they are done, or someone stops them. Layer: train.
// The same data, recipe and machine give the same bits, however often the run was stopped and gone on with.

import type { Executor } from '../backends/executor.ts';
import { ConfigError, InterruptedError, NumericsError } from '../base/errors.ts';
import { lockFolder } from '../base/lock.ts';
import type { State } from '../core/index.ts';
import type { Sampling, TokenShards } from '../data/index.ts';
import { initialise, type Model } from '../models/index.ts';
import { availableBytes, compileToFit } from './capacity.ts';
import { findCheckpoint, loadCheckpoint, pruneCheckpoints, saveCheckpoint, type CheckpointSource, type TrainingState } from './checkpoint.ts';
import { hashOf } from './checksums.ts';
import { checkTrainConfig, microBatches, type TrainConfig } from './config.ts';
import { LossWatch } from './loss-watch.ts';
import { MetricsLog, type MetricsLine } from './metrics-log.ts';
import { trainingBytes, type TrainingBytes } from './programs.ts';
import { RunFolder } from './run-folder.ts';
import { checkIdentity, identityOf, versionsOf, type RunIdentity } from './run-identity.ts';
import { learningRate } from './schedule.ts';
import { StepBatches, type StepBatch } from './step-batches.ts';
import { StepRunner, type Gradients } from './step-runner.ts';
import type { Validation } from './validation.ts';

/** Something worth a line of a log. */
export type TrainEvent =
  | { readonly kind: 'resumed'; readonly step: number; readonly path: string }
  | { readonly kind: 'damaged'; readonly step: number; readonly path: string; readonly why: string }
  | { readonly kind: 'checkpoint'; readonly step: number; readonly path: string }
  | { readonly kind: 'sample'; readonly step: number; readonly path: string; readonly text: string }
  | { readonly kind: 'skipped'; readonly step: number; readonly tensor: string }
  | { readonly kind: 'spike'; readonly step: number; readonly loss: number }
  | { readonly kind: 'rollback'; readonly step: number; readonly to: number };

/** What a sampler is given: the executor is idle and holds the parameters under their States' ids. */
export interface SampleContext {
  readonly step: number;
  readonly executor: Executor;
  readonly model: Model;
}

export interface TrainOptions {
  /** The run's folder. */
  readonly dir: string;
  readonly model: Model;
  readonly config: TrainConfig;
  /** The caller's, who closes it. */
  readonly executor: Executor;
  readonly data: { readonly train: TokenShards; readonly validation?: TokenShards | undefined; readonly sampling?: Sampling };
  readonly seed?: number;
  /** Go on from the last whole checkpoint, or begin if there is none. */
  readonly resume?: boolean;
  /** After the step in progress all is saved, and InterruptedError thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Values that a parameter starts with; by default its own initialisation with the seed. */
  readonly initial?: (state: State, out: Float32Array<ArrayBuffer>) => void;
  /** The whole resolved recipe, to be written beside the run; by default what is known here. */
  readonly recipe?: unknown;
  /** Tokenizer and generation files that every checkpoint gets a copy of. */
  readonly files?: readonly string[];
  /** Further fields of config.json. */
  readonly configFields?: Readonly<Record<string, unknown>>;
  /** Version of the program that runs this, and the artefacts that this run comes from, for the manifest. */
  readonly version?: string;
  readonly parents?: Readonly<Record<string, string>>;
  /** Bytes that states and arena may take; by default what is free. */
  readonly memoryBytes?: number;
  readonly onMetrics?: (line: MetricsLine) => void;
  readonly onEvent?: (event: TrainEvent) => void;
  /** Text to keep as this step's samples. */
  readonly sample?: (context: SampleContext) => Promise<string>;
}

export interface TrainResult {
  readonly steps: number;
  /** Loss of the last step. */
  readonly loss: number | undefined;
  readonly validation: Validation | undefined;
  /** Folder of the finished model. */
  readonly model: string;
  readonly tokens: number;
  readonly seconds: number;
  readonly memory: TrainingBytes;
}

/**
 * Trains a model in a folder of its own.
 *
 * @throws {ConfigError} if numbers do not fit each other, the folder has a run already, or one of another recipe
 * @throws {CapacityError} if it does not fit the memory; nothing was allocated
 * @throws {StorageError} if another process trains in the folder, or the disk refuses
 * @throws {NumericsError} if losses or gradients stay non-finite
 * @throws {InterruptedError} if it was aborted; everything is saved, and `resume` goes on bit for bit
 *
 * @example
 * const executor = NativeExecutor.open();
 * await train({ dir: 'runs/first', model, config: trainSchema.parse({ steps: 100 }), executor, data: { train: shards } });
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { dir, model, config, executor, resume = false } = options;
  checkTrainConfig(config, model.dims);
  checkVocabulary(options);
  const lock = lockFolder(dir);
  try {
    const folder = new RunFolder(dir);
    folder.open(resume);
    const programs = compileToFit(model, config, executor.target(), options.memoryBytes ?? availableBytes());
    const runner = new StepRunner(executor, model, config, programs);
    try {
      return await new Training(options, folder, runner, trainingBytes(programs)).run();
    } finally {
      runner.unload();
    }
  } finally {
    lock.release();
  }
}

function checkVocabulary({ model, data }: TrainOptions): void {
  for (const [name, shards] of Object.entries({ training: data.train, validation: data.validation })) {
    const vocabSize = (shards as TokenShards | undefined)?.manifest.vocabSize ?? 0;
    if (vocabSize <= model.dims.vocabSize) continue;
    throw new ConfigError(`Cannot train: the ${name} data has a vocabulary of ${vocabSize}, and the model one of ${model.dims.vocabSize}. Leave model.vocab_size out, or build the data with the model's tokenizer.`, { path: 'model.vocab_size' });
  }
}

/** One session of a run. */
class Training {
  readonly #options: TrainOptions;
  readonly #config: TrainConfig;
  readonly #folder: RunFolder;
  readonly #runner: StepRunner;
  readonly #memory: TrainingBytes;
  readonly #identity: RunIdentity;
  #state: TrainingState;
  #watch = new LossWatch();
  #log: MetricsLog | undefined;
  #loss: number | undefined;
  #validation: Validation | undefined;
  #saved = -1;

  constructor(options: TrainOptions, folder: RunFolder, runner: StepRunner, memory: TrainingBytes) {
    const { seed = 0, data, model, config } = options;
    this.#options = options;
    this.#config = config;
    this.#folder = folder;
    this.#runner = runner;
    this.#memory = memory;
    this.#identity = identityOf({ seed, sampling: data.sampling ?? 'windows', model, config, shards: data.train });
    this.#state = {
      step: 0,
      updates: 0,
      skippedInARow: 0,
      rollbacks: 0,
      seed,
      cursor: this.#batches().cursor,
      tokens: 0,
      seconds: 0,
      losses: [],
      metricsBytes: 0,
      pending: null,
      identity: this.#identity,
      identityHash: hashOf(this.#identity),
      versions: versionsOf(options.version ?? 'unknown'),
    };
  }

  async run(): Promise<TrainResult> {
    this.#start();
    this.#log = new MetricsLog(this.#folder.metrics, this.#state.metricsBytes);
    try {
      if (this.#state.pending !== null) await this.#finishStep(this.#state.pending);
      await this.#steps();
      return this.#finish();
    } finally {
      this.#log.close();
    }
  }

  /** First values, or those of the last whole checkpoint; and what the folder says of this session. */
  #start(): void {
    const { seed = 0, executor, initial, data, resume = false } = this.#options, { dir, checkpoints } = this.#folder;
    const found = resume ? findCheckpoint(checkpoints, ({ step, path }, why) => this.#tell({ kind: 'damaged', step, path, why })) : undefined;
    for (const state of this.#runner.states) { // an executor may have trained before: moments too begin anew
      const out = executor.state(state.id) as Float32Array<ArrayBuffer>;
      if (state.role !== 'parameter') initialise(state, seed, out);
      else if (found === undefined) (initial ?? ((one, values) => initialise(one, seed, values)))(state, out);
    }
    if (found !== undefined) {
      const before = loadCheckpoint(found, this.#source(), ({ identity }) => checkIdentity(dir, identity, this.#identity));
      this.#adopt({ ...before, versions: this.#state.versions });
      this.#saved = before.step;
      this.#tell({ kind: 'resumed', step: before.step, path: found.path });
    } else {
      this.#folder.writeRecipe(this.#options.recipe ?? this.#identity);
    }
    this.#folder.writeSession({
      recipeHash: hashOf(this.#options.recipe ?? this.#identity),
      identityHash: this.#state.identityHash,
      seed,
      data: { train: data.train.manifest.contentHash, validation: data.validation?.manifest.contentHash ?? null },
      tokenizer: data.train.manifest.tokenizerHash,
      parents: this.#options.parents ?? {},
      versions: this.#state.versions,
    }, { started: new Date().toISOString(), fromStep: this.#state.step, versions: this.#state.versions, target: executor.target() });
  }

  #adopt(state: TrainingState): void {
    this.#state = state;
    this.#watch = new LossWatch(state.losses);
  }

  #batches(): StepBatches {
    const { data, seed = 0, config } = this.#options, { rows } = microBatches(config);
    const cursor = this.#state as TrainingState | undefined;
    return new StepBatches({
      shards: data.train,
      batchSize: config.batchSize,
      contextLength: config.contextLength,
      seed,
      sampling: data.sampling ?? 'windows',
      microRows: rows,
      ...(cursor === undefined ? {} : { cursor: cursor.cursor }),
    });
  }

  async #steps(): Promise<void> {
    const batches = this.#batches();
    let batch = this.#state.step < this.#config.steps ? batches.next() : undefined;
    while (batch !== undefined && this.#state.step < this.#config.steps) {
      this.#stopIfAsked();
      const began = performance.now(), now = batch;
      const pending = this.#runner.gradients(batch);
      pending.catch(() => undefined); // awaited below; the next batch may fail to be read before
      batch = batches.next(); // while this one computes; its micro-batches overwrite `now`'s, which are copied
      const line = await this.#apply(now, await pending, began);
      if (line !== undefined) await this.#finishStep(line);
    }
  }

  /** Judges gradients and makes the update. @returns the step's line, or undefined after a rollback */
  async #apply(batch: StepBatch, found: Gradients, began: number): Promise<MetricsLine | undefined> {
    const { steps, learningRate: peak, schedule, numerics } = this.#config, state = this.#state, { loss, gradNorm } = found;
    const step = state.step + 1, lr = learningRate(step, steps, peak, schedule);
    const finite = Number.isFinite(loss) && Number.isFinite(gradNorm);
    const spike = finite && this.#watch.isSpike(loss, numerics.spikeDeviations);
    if (spike) this.#tell({ kind: 'spike', step, loss });
    if (spike && numerics.rollback && this.#rollBack(step, loss, batch)) return undefined;
    if (finite) await this.#runner.update(lr, state.updates + 1, found.gradScale);
    const seconds = (performance.now() - began) / 1000;
    this.#watch.add(loss);
    this.#loss = loss;
    this.#adoptStep(step, finite, batch, seconds);
    const line: MetricsLine = {
      step,
      loss: finiteOrNull(loss),
      lr,
      gradNorm: finiteOrNull(gradNorm),
      tokensPerSecond: Math.round(batch.tokens / seconds),
      tokens: this.#state.tokens,
      seconds: round(this.#state.seconds),
      epoch: round(batch.epoch),
      ...(spike ? { spike: true } : {}),
      ...(finite ? {} : { skipped: true }),
    };
    if (!finite) this.#skipped(step, line);
    return line;
  }

  #adoptStep(step: number, finite: boolean, batch: StepBatch, seconds: number): void {
    const before = this.#state;
    this.#state = {
      ...before,
      step,
      updates: before.updates + (finite ? 1 : 0),
      skippedInARow: finite ? 0 : before.skippedInARow + 1,
      cursor: batch.cursor,
      tokens: before.tokens + batch.tokens,
      seconds: before.seconds + seconds,
      losses: [...this.#watch.history],
    };
  }

  /** @throws {NumericsError} if this is one skipped step too many */
  #skipped(step: number, line: MetricsLine): void {
    const { maxSkipped } = this.#config.numerics, tensor = this.#runner.firstNonFinite()?.id ?? 'loss';
    this.#tell({ kind: 'skipped', step, tensor });
    if (this.#state.skippedInARow < maxSkipped) return;
    this.#write(line);
    throw new NumericsError(`Cannot go on training at step ${step}: the loss or a gradient was not finite in ${maxSkipped} steps in a row, first the gradient of "${tensor}". The parameters are as before those steps. Lower train.learningRate, lengthen train.schedule.warmupSteps, or look at the data.`, { step, tensor });
  }

  /** Goes back to the last checkpoint, and on with the data after this batch. @returns false if there is none */
  #rollBack(step: number, loss: number, batch: StepBatch): boolean {
    const { maxRollbacks } = this.#config.numerics;
    const found = findCheckpoint(this.#folder.checkpoints, (folder, why) => this.#tell({ kind: 'damaged', ...folder, why }));
    if (found === undefined) return false;
    if (this.#state.rollbacks >= maxRollbacks) {
      throw new NumericsError(`Cannot go on training at step ${step}: the loss rose to ${loss.toFixed(3)} after ${maxRollbacks} rollbacks. Lower train.learningRate, or look at the data.`, { step, tensor: 'loss' });
    }
    const { rollbacks, tokens, seconds, metricsBytes, versions } = this.#state;
    const before = loadCheckpoint(found, this.#source());
    this.#adopt({ ...before, cursor: batch.cursor, rollbacks: rollbacks + 1, tokens: tokens + batch.tokens, seconds, metricsBytes, versions });
    this.#write({ event: 'rollback', step, loss, to: found.step });
    this.#tell({ kind: 'rollback', step, to: found.step });
    return true;
  }

  /** Validation, the line, samples, a checkpoint: each if it is due. */
  async #finishStep(line: MetricsLine): Promise<void> {
    const { validation, checkpoint, samples, steps } = this.#config, { step } = this.#state, last = step === steps;
    const due = (everySteps: number): boolean => everySteps > 0 && step % everySteps === 0;
    let whole = line;
    if (this.#options.data.validation !== undefined && (last || due(validation.everySteps))) whole = { ...line, ...(await this.#validate(line, last)) };
    this.#state = { ...this.#state, pending: null };
    this.#write(whole);
    this.#options.onMetrics?.(whole);
    if (this.#options.sample !== undefined && (last || due(samples.everySteps)) && samples.everySteps > 0) await this.#sample();
    if (last || due(checkpoint.everySteps)) this.#save();
  }

  async #validate(line: MetricsLine, last: boolean): Promise<MetricsLine> {
    const { batches, finalBatches } = this.#config.validation, { signal } = this.#options;
    try {
      const found = await this.#runner.validate(this.#options.data.validation!, last ? finalBatches : batches, signal);
      this.#validation = found;
      return { valLoss: found.loss, valBitsPerByte: found.bitsPerByte };
    } catch (error) {
      if (!(error instanceof InterruptedError) || signal?.aborted !== true) throw error;
      this.#state = { ...this.#state, pending: line }; // the step is done, its line is not: a resumed run begins with it
      throw this.#interrupted();
    }
  }

  async #sample(): Promise<void> {
    const { executor, model, sample, signal } = this.#options, { step } = this.#state;
    const text = await sample!({ step, executor, model }).catch((error: unknown) => {
      throw error instanceof InterruptedError && signal?.aborted === true ? this.#interrupted() : error; // the step is saved, not its samples
    });
    this.#tell({ kind: 'sample', step, path: this.#folder.writeSample(step, text), text });
  }

  #stopIfAsked(): void {
    if (this.#options.signal?.aborted === true) throw this.#interrupted();
  }

  /** Saves, unless this step is saved already. @returns the error that says so */
  #interrupted(): InterruptedError {
    const { step } = this.#state;
    if (step !== this.#saved || this.#state.pending !== null) this.#save();
    return new InterruptedError(`Stopped after step ${step} of ${this.#config.steps}; everything is saved in "${this.#folder.dir}". Go on with --resume.`, { cause: this.#options.signal?.reason });
  }

  #save(): void {
    this.#state = { ...this.#state, metricsBytes: this.#log!.sync() };
    const path = saveCheckpoint(this.#folder.checkpoints, { ...this.#source(), state: this.#state }, this.#config.checkpoint.keep);
    this.#saved = this.#state.step;
    this.#tell({ kind: 'checkpoint', step: this.#saved, path });
  }

  #source(): Omit<CheckpointSource, 'state'> {
    const { model, executor, files = [], configFields } = this.#options;
    return { model, optimizer: this.#config.optimizer, executor, files, rest: configFields };
  }

  #finish(): TrainResult {
    const { step, tokens, seconds } = this.#state;
    pruneCheckpoints(this.#folder.checkpoints, step, this.#config.checkpoint.keep);
    this.#folder.writeModel(this.#source(), { step, tokens, run: hashOf(this.#identity), versions: this.#state.versions });
    return { steps: step, loss: this.#loss, validation: this.#validation, model: this.#folder.model, tokens, seconds, memory: this.#memory };
  }

  #write(line: MetricsLine): void {
    this.#log!.append(line);
  }

  #tell(event: TrainEvent): void {
    this.#options.onEvent?.(event);
  }
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Microseconds are enough for people. */
const round = (value: number): number => Math.round(value * 1e6) / 1e6;
