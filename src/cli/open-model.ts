// A model folder or GGUF file, ready to be asked: weights, tokenizer, ids that end a text. Layer: cli.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, FormatError } from '../base/errors.ts';
import type { Executor } from '../backends/executor.ts';
import { Engine, type EngineOptions } from '../engine/index.ts';
import { CONFIG_FILE, isGguf, loadGguf, loadModel, withWeightTypes, type LoadedModel, type Model, type WeightType } from '../models/index.ts';
import { loadTokenizer, TOKENIZER_FILE, type Tokenizer } from '../tokenizer/index.ts';
import { listCheckpoints } from '../train/checkpoint.ts';
import type { Io } from './command.ts';
import { GENERATION_FILE } from './prepare-data.ts';

/** An opened model. Its matrices have the types that the file has; `full` has all in f32, as for training. */
export interface OpenModel extends LoadedModel {
  readonly full: Model;
  /** The model folder or file. */
  readonly path: string;
  readonly tokenizer: Tokenizer | undefined;
  readonly stopIds: readonly number[];
  readonly beginId: number | undefined;
}

/**
 * The model folder that a path stands for: itself, or the model of a run, or the last checkpoint of an unfinished run.
 */
export function modelFolder(path: string, io?: Io): string {
  if (existsSync(join(path, CONFIG_FILE))) return path;
  const finished = join(path, 'model');
  if (existsSync(join(finished, CONFIG_FILE))) return finished;
  const [last] = listCheckpoints(join(path, 'checkpoints'));
  if (last === undefined) return path;
  io?.note(`The run in "${path}" is not finished: using its checkpoint of step ${last.step}.`);
  return last.path;
}

/**
 * Opens a model folder, a run's model, or a GGUF file.
 *
 * @param types other types for the matrices than the file has
 * @throws {StorageError | FormatError} if a file is missing or damaged
 */
export function openModel(path: string, io?: Io, types?: (stored: WeightType) => WeightType): OpenModel {
  const opened = isGguf(path) ? openGguf(path, io) : openFolder(modelFolder(path, io)), { loaded } = opened;
  const model = withWeightTypes(loaded.model, (state) => (types ?? ((stored) => stored))(loaded.storedType(state)));
  return { ...loaded, model, full: loaded.model, path: opened.path, tokenizer: opened.tokenizer, stopIds: idsOf(opened.ids['eos_token_id']), beginId: idsOf(opened.ids['bos_token_id'])[0] };
}

interface Opened {
  readonly path: string;
  readonly loaded: LoadedModel;
  readonly tokenizer: Tokenizer | undefined;
  readonly ids: Readonly<Record<string, unknown>>;
}

function openFolder(folder: string): Opened {
  const loaded = loadModel(folder), tokenizer = existsSync(join(folder, TOKENIZER_FILE)) ? loadTokenizer(folder) : undefined;
  return { path: folder, loaded, tokenizer, ids: { ...loaded.rest, ...readGeneration(join(folder, GENERATION_FILE)) } };
}

function openGguf(path: string, io: Io | undefined): Opened {
  const loaded = loadGguf(path), { tokenizer } = loaded;
  if (typeof tokenizer !== 'string') return { path, loaded, tokenizer, ids: loaded.rest };
  io?.note(`No text with "${path}", only token ids: ${tokenizer}.`);
  return { path, loaded, tokenizer: undefined, ids: loaded.rest };
}

/** The tokenizer that a path stands for: a tokenizer.json, a model folder or run, a GGUF file. */
export function openTokenizer(path: string, io: Io): Tokenizer {
  if (path.endsWith('.json') && existsSync(path)) return loadTokenizer(path);
  if (!isGguf(path)) return loadTokenizer(modelFolder(path, io));
  const { tokenizer, close } = loadGguf(path);
  close();
  if (typeof tokenizer === 'string') throw new ConfigError(`Cannot tokenize with "${path}": ${tokenizer}. Use the model folder that it was made from.`);
  return tokenizer;
}

function readGeneration(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new FormatError(`Cannot read "${path}": it is not valid JSON. Get another copy of it, or delete it.`, { path, cause });
  }
}

const idsOf = (value: unknown): number[] => (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id));

/** An engine over an opened model. */
export function openEngine(open: OpenModel, executor: Executor, options: Partial<EngineOptions> = {}): Engine {
  return new Engine(open.model, {
    executor,
    read: open.readStored,
    stopIds: open.stopIds,
    ...(open.tokenizer === undefined ? {} : { tokenizer: open.tokenizer }),
    ...options,
  });
}

/** Numbers with commas or spaces between them. @throws {ConfigError} */
export function parseIds(text: string, option: string): number[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== ''), ids = words.map(Number);
  const wrong = words.find((_, i) => !Number.isInteger(ids[i]) || ids[i]! < 0);
  if (wrong !== undefined) throw new ConfigError(`Cannot use --${option} "${text}": "${wrong}" is no token id. Give whole numbers with commas between them, such as 1,2,3.`, { path: option });
  return ids;
}
