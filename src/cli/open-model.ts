// A model folder, ready to be asked: weights, tokenizer, ids that end a text. Layer: cli.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, FormatError } from '../base/errors.ts';
import type { Executor } from '../backends/executor.ts';
import { Engine, type EngineOptions } from '../engine/index.ts';
import { CONFIG_FILE, loadModel, type LoadedModel } from '../models/index.ts';
import { loadTokenizer, TOKENIZER_FILE, type Tokenizer } from '../tokenizer/index.ts';
import { listCheckpoints } from '../train/checkpoint.ts';
import type { Io } from './command.ts';
import { GENERATION_FILE } from './prepare-data.ts';

/** An opened model folder. */
export interface OpenModel extends LoadedModel {
  readonly folder: string;
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

/** @throws {StorageError | FormatError} if a file is missing or damaged */
export function openModel(path: string, io?: Io): OpenModel {
  const folder = modelFolder(path, io), loaded = loadModel(folder);
  const tokenizer = existsSync(join(folder, TOKENIZER_FILE)) ? loadTokenizer(folder) : undefined;
  const generation = { ...loaded.rest, ...readGeneration(join(folder, GENERATION_FILE)) };
  return { ...loaded, folder, tokenizer, stopIds: idsOf(generation['eos_token_id']), beginId: idsOf(generation['bos_token_id'])[0] };
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
    executor, read: open.read, stopIds: open.stopIds, ...(open.tokenizer === undefined ? {} : { tokenizer: open.tokenizer }), ...options,
  });
}

/** Numbers with commas or spaces between them. @throws {ConfigError} */
export function parseIds(text: string, option: string): number[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== ''), ids = words.map(Number);
  const wrong = words.find((_, i) => !Number.isInteger(ids[i]) || ids[i]! < 0);
  if (wrong !== undefined) throw new ConfigError(`Cannot use --${option} "${text}": "${wrong}" is no token id. Give whole numbers with commas between them, such as 1,2,3.`, { path: option });
  return ids;
}
