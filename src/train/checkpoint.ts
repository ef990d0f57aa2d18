// Checkpoints: a model folder and, in training/, all that a run needs to go on bit for bit. Layer: train (file access).
//   checkpoints/step-000500/config.json, model.safetensors, tokenizer files   what any reader of model folders opens
//   checkpoints/step-000500/training/moments.safetensors, state.json          AdamW's moments; step, data cursor, history
//   checkpoints/step-000500/checkpoint.json                                   sizes and checksums of all of these
// The folder appears whole (see durable-folder.ts) and is verified whole before anything of it is used.

import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../base/durable.ts';
import { AthanorError, FormatError } from '../base/errors.ts';
import type { Executor } from '../backends/executor.ts';
import type { State } from '../core/index.ts';
import type { BatchCursor } from '../data/index.ts';
import { formatHeader, loadModel, saveModel, type Model } from '../models/index.ts';
import { WeightFile } from '../models/weight-files.ts';
import { readJson, verifyManifest, writeManifest } from './checksums.ts';
import { recoverFolders, removeFolder, writeFolder } from './durable-folder.ts';
import type { MetricsLine } from './metrics-log.ts';
import { momentsOf, type OptimizerConfig } from './optimizer.ts';
import { trainable } from './programs.ts';

const MANIFEST = 'checkpoint.json', TRAINING = 'training', MOMENTS = 'moments.safetensors', STATE = 'state.json';
const FORMAT = 1;

/** What says which States an optimizer keeps. */
type OptimizerKind = Pick<OptimizerConfig, 'kind'>;

/** Everything of a run that is not weights or moments; JSON-able. */
export type TrainingState = {
  /** Steps done, skipped ones included. */
  step: number;
  /** Updates made: the optimizer's t. */
  updates: number;
  /** Steps in a row that were skipped, and rollbacks so far. */
  skippedInARow: number;
  rollbacks: number;
  seed: number;
  cursor: BatchCursor;
  /** Tokens read, and seconds of training, over all sessions. */
  tokens: number;
  seconds: number;
  /** The last losses, for the detection of spikes. */
  losses: number[];
  /** Bytes of metrics.jsonl that belong to these steps. */
  metricsBytes: number;
  /** The line of a step whose validation was interrupted, and is to be done first. */
  pending: MetricsLine | null;
  /** What decided the numbers of the run (see run-identity.ts), and its hash. */
  identity: Record<string, unknown>;
  identityHash: string;
  versions: Record<string, string>;
};

/** What is written, and where it comes from. */
export interface CheckpointSource {
  readonly model: Model;
  readonly optimizer: OptimizerKind;
  readonly executor: Pick<Executor, 'state'>;
  readonly state: TrainingState;
  /** Tokenizer and generation files, copied under their own names. */
  readonly files: readonly string[];
  /** Further fields of config.json. */
  readonly rest?: Readonly<Record<string, unknown>> | undefined;
}

const folderName = (step: number): string => `step-${String(step).padStart(6, '0')}`;

/** A checkpoint's place. */
export interface CheckpointFolder {
  readonly step: number;
  readonly path: string;
}

/** The checkpoints of a run, latest first, whole or damaged. @throws {StorageError} */
export function listCheckpoints(parent: string): CheckpointFolder[] {
  if (!existsSync(parent)) return [];
  try {
    return readdirSync(parent).flatMap((name) => {
      const step = /^step-(\d{6,15})$/.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(parent, name) }];
    }).sort((a, b) => b.step - a.step);
  } catch (cause) {
    throw storageError('list the checkpoints in', parent, cause);
  }
}

/** Clears away what a killed run left half-written. The run's folder must be locked. */
export function recoverCheckpoints(parent: string): void {
  recoverFolders(parent, (name) => /^step-\d+$/.test(name));
}

/**
 * Writes a checkpoint, then removes those that are too many, and those of later steps (left over from before a resumption).
 * The executor must be idle.
 *
 * @param keep how many stay
 * @returns the folder
 * @throws {StorageError} with a remedy (a full disk); the older checkpoints are then untouched
 */
export function saveCheckpoint(parent: string, source: CheckpointSource, keep: number): string {
  const { state } = source, path = join(parent, folderName(state.step));
  makeFolder(parent);
  writeFolder(path, (draft) => {
    saveModelFiles(draft, source);
    const training = join(draft, TRAINING);
    makeFolder(training);
    saveMoments(join(training, MOMENTS), source);
    writeDurable(join(training, STATE), `${JSON.stringify(state, null, 2)}\n`);
    writeManifest(draft, MANIFEST, { format: FORMAT, step: state.step });
  });
  pruneCheckpoints(parent, state.step, keep);
  return path;
}

/** Removes all but the last `keep` checkpoints up to a step: a run killed between writing and removing left more. */
export function pruneCheckpoints(parent: string, upTo: number, keep: number): void {
  const all = listCheckpoints(parent), kept = all.filter(({ step }) => step <= upTo).slice(0, keep);
  for (const checkpoint of all) if (!kept.includes(checkpoint)) removeFolder(checkpoint.path);
}

/** Writes a model folder and copies files into it. @throws {StorageError} */
export function saveModelFiles(folder: string, { model, executor, files, rest }: Omit<CheckpointSource, 'state'>): void {
  saveModel(folder, model, (state) => executor.state(state.id) as Float32Array, rest);
  for (const file of files) {
    try {
      copyFileSync(file, join(folder, basename(file)));
    } catch (cause) {
      throw storageError('copy', file, cause);
    }
  }
}

/** The optimizer's States in the order of the file. */
function momentStates(model: Model, optimizer: OptimizerKind): State[] {
  return trainable(model).flatMap((parameter) => momentsOf(parameter, optimizer));
}

function saveMoments(path: string, { model, optimizer, executor, state }: CheckpointSource): void {
  const states = momentStates(model, optimizer);
  function* chunks(): Generator<Uint8Array> {
    yield formatHeader(states.map(({ id, meta }) => ({ name: id, dtype: 'F32' as const, shape: meta.shape as readonly number[] })), { step: String(state.step) });
    for (const { id } of states) {
      const values = executor.state(id);
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    }
  }
  writeDurable(path, chunks());
}

/**
 * Reads a verified checkpoint into an executor that has loaded the run's programs.
 *
 * @param accept throws for a checkpoint of another run, before its moments are looked for: another optimizer has others
 * @throws {FormatError} naming the file that is damaged, or that belongs to another model
 * @throws {StorageError} if a file cannot be read
 */
export function loadCheckpoint(folder: CheckpointFolder, { model, optimizer, executor }: Pick<CheckpointSource, 'model' | 'optimizer' | 'executor'>, accept: (before: TrainingState) => void = () => {}): TrainingState {
  const { path } = folder;
  const loaded = loadModel(path);
  try {
    const shape = (m: Model): string => m.states.map(({ id, meta }) => `${id} ${meta.shape.join('×')}`).join();
    if (shape(loaded.model) !== shape(model)) throw new FormatError(`"${join(path, 'config.json')}" is of another model`, { path });
    for (const state of model.states) loaded.read(state, executor.state(state.id) as Float32Array);
  } finally {
    loaded.close();
  }
  const before = readJson(join(path, TRAINING, STATE)) as unknown as TrainingState;
  accept(before);
  loadMoments(join(path, TRAINING, MOMENTS), momentStates(model, optimizer), executor);
  return before;
}

function loadMoments(path: string, states: readonly State[], executor: Pick<Executor, 'state'>): void {
  const file = new WeightFile(path, undefined);
  try {
    for (const { id, meta } of states) {
      const tensor = file.tensors.get(id);
      if (tensor?.shape.join() !== meta.shape.join()) throw new FormatError(`"${path}" holds no "${id}" of shape [${meta.shape.join(', ')}]`, { path });
      file.readF32(tensor, executor.state(id) as Float32Array);
    }
  } finally {
    file.close();
  }
}

/**
 * The latest checkpoint that is whole.
 *
 * @param onDamaged is told of each later one that is not, and why
 * @returns undefined if there is none at all
 * @throws {FormatError} if there are some and none is whole
 */
export function findCheckpoint(parent: string, onDamaged: (folder: CheckpointFolder, why: string) => void): CheckpointFolder | undefined {
  const folders = listCheckpoints(parent), reasons: string[] = [];
  for (const folder of folders) {
    try {
      const { format } = verifyManifest(folder.path, MANIFEST);
      if (format !== FORMAT) throw new FormatError(`it has format ${String(format)}, and this program reads ${FORMAT}`, { path: folder.path });
      return folder;
    } catch (error) {
      if (!(error instanceof AthanorError)) throw error;
      reasons.push(error.message);
      onDamaged(folder, error.message);
    }
  }
  if (folders.length === 0) return undefined;
  throw new FormatError(`Cannot resume from "${parent}": none of its ${folders.length} checkpoints is whole (${reasons.join('; ')}). Restore one from a copy, or start a new run in another folder.`, { path: parent });
}
