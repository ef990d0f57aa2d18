// A model folder or GGUF file, ready to be asked: weights, tokenizer, ids that end a text. Layer: serve.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError } from '../base/errors.ts';
import type { Executor } from '../backends/executor.ts';
import { Engine, type EngineOptions } from '../engine/index.ts';
import { CONFIG_FILE, isGguf, loadGguf, loadModel, withWeightTypes, type LoadedModel, type Model, type WeightType } from '../models/index.ts';
import { loadChatTemplates, loadTokenizer, TOKENIZER_FILE, type ChatTemplateSource, type Tokenizer } from '../tokenizer/index.ts';
import { listCheckpoints } from '../train/checkpoint.ts';

/** Where a model folder says how its texts begin and end. */
const GENERATION_FILE = 'generation_config.json';

/** Says something to whoever opens a model. */
export type Note = (text: string) => void;

/** An opened model. Its matrices have the types that the file has; `full` has all in f32, as for training. */
export interface OpenModel extends LoadedModel {
  readonly full: Model;
  /** The model folder or file. */
  readonly path: string;
  readonly tokenizer: Tokenizer | undefined;
  readonly stopIds: readonly number[];
  readonly beginId: number | undefined;
  readonly chatTemplates: ChatTemplateSource | undefined;
}

/**
 * The model folder that a path stands for: itself, or the model of a run, or the last checkpoint of an unfinished run.
 */
export function modelFolder(path: string, note?: Note): string {
  if (existsSync(join(path, CONFIG_FILE))) return path;
  const finished = join(path, 'model');
  if (existsSync(join(finished, CONFIG_FILE))) return finished;
  const [last] = listCheckpoints(join(path, 'checkpoints'));
  if (last === undefined) return path;
  note?.(`The run in "${path}" is not finished: using its checkpoint of step ${last.step}.`);
  return last.path;
}

/** Opens a model folder or a GGUF file. */
export function openLocal(path: string, note?: Note, types?: (stored: WeightType) => WeightType): OpenModel {
  const opened = isGguf(path) ? openGguf(path, note) : openFolder(path), { loaded } = opened;
  const model = withWeightTypes(loaded.model, (state) => (types ?? ((stored) => stored))(loaded.storedType(state)));
  return { ...loaded, model, full: loaded.model, path: opened.path, tokenizer: opened.tokenizer, stopIds: idsOf(opened.ids['eos_token_id']), beginId: idsOf(opened.ids['bos_token_id'])[0], chatTemplates: opened.chatTemplates };
}

interface Opened {
  readonly path: string;
  readonly loaded: LoadedModel;
  readonly tokenizer: Tokenizer | undefined;
  readonly chatTemplates: ChatTemplateSource | undefined;
  readonly ids: Readonly<Record<string, unknown>>;
}

function openFolder(folder: string): Opened {
  const loaded = loadModel(folder), tokenizer = existsSync(join(folder, TOKENIZER_FILE)) ? loadTokenizer(folder) : undefined;
  return { path: folder, loaded, tokenizer, chatTemplates: loadChatTemplates(folder), ids: { ...loaded.rest, ...readGeneration(join(folder, GENERATION_FILE)) } };
}

function openGguf(path: string, note: Note | undefined): Opened {
  const loaded = loadGguf(path), { tokenizer, chatTemplates } = loaded;
  if (typeof tokenizer !== 'string') return { path, loaded, tokenizer, chatTemplates, ids: loaded.rest };
  note?.(`No text with "${path}", only token ids: ${tokenizer}.`);
  return { path, loaded, tokenizer: undefined, chatTemplates, ids: loaded.rest };
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
