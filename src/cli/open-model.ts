// A model folder or GGUF file, ready to be asked: weights, tokenizer, ids that end a text. Layer: cli.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError, FormatError } from '../base/errors.ts';
import type { Executor } from '../backends/executor.ts';
import { Engine, type EngineOptions } from '../engine/index.ts';
import { CONFIG_FILE, foreignKind, isGguf, isHubName, loadGguf, loadModel, PICKLE_NAME, PICKLE_REASON, ReadableFile, WEIGHTS_FILE, withWeightTypes, type LoadedModel, type Model, type WeightType } from '../models/index.ts';
import { loadChatTemplates, loadTokenizer, TOKENIZER_FILE, type ChatTemplateSource, type Tokenizer } from '../tokenizer/index.ts';
import { listCheckpoints } from '../train/checkpoint.ts';
import type { ArgumentSpec, Io } from './command.ts';
import { GENERATION_FILE } from './prepare-data.ts';

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
export function modelFolder(path: string, io?: Io): string {
  if (existsSync(join(path, CONFIG_FILE))) return path;
  const finished = join(path, 'model');
  if (existsSync(join(finished, CONFIG_FILE))) return finished;
  const [last] = listCheckpoints(join(path, 'checkpoints'));
  if (last === undefined) return path;
  io?.note(`The run in "${path}" is not finished: using its checkpoint of step ${last.step}.`);
  return last.path;
}

/** The word that says which model. */
export const MODEL_ARGUMENT: ArgumentSpec = { name: 'MODEL', about: 'a model folder, a run folder, a GGUF file, or hub:owner/name[@revision]' };

/** Where a model's files are on this machine. */
export interface LocalModel {
  readonly path: string;
  /** Of a hub's model: the commit that its files are of. */
  readonly commit: string | null;
}

/** The folder or file that a word stands for. @throws {FormatError} if it is a file of a kind that is not read */
export async function localModel(word: string, io: Io): Promise<LocalModel> {
  if (isHubName(word)) return (await import('./hub-model.ts')).openHubModel(word, io);
  if (isGguf(word)) return { path: word, commit: null };
  if (statSync(word, { throwIfNoEntry: false })?.isFile() !== true) return { path: modelFolder(word, io), commit: null };
  if (basename(word) === WEIGHTS_FILE || word.endsWith(`.${WEIGHTS_FILE}.index.json`) || basename(word) === CONFIG_FILE) return { path: dirname(word), commit: null };
  throw unreadable(word);
}

/** A file that is no model, by its first bytes or its name. */
function unreadable(path: string): FormatError {
  const prefix = new Uint8Array(16), file = new ReadableFile(path), begin = prefix.subarray(0, Math.min(16, file.size));
  file.read(begin, 0);
  file.close();
  const kind = foreignKind(begin) ?? (PICKLE_NAME.test(path) ? `by its name it is a PyTorch pickle: ${PICKLE_REASON}` : `it is neither a model folder nor a GGUF file. A model's safetensors files are opened by the folder that they are in, with its ${CONFIG_FILE}`);
  return new FormatError(`Cannot open "${path}": ${kind}.`, { path, offset: 0 });
}

/**
 * Opens a model folder, a run's model, a GGUF file, or a hub's model.
 *
 * @param types other types for the matrices than the file has
 * @throws {StorageError | FormatError} if a file is missing or damaged
 */
export async function openModel(word: string, io: Io, types?: (stored: WeightType) => WeightType): Promise<OpenModel> {
  return openLocal((await localModel(word, io)).path, io, types);
}

/** Opens a model folder or a GGUF file. */
export function openLocal(path: string, io?: Io, types?: (stored: WeightType) => WeightType): OpenModel {
  const opened = isGguf(path) ? openGguf(path, io) : openFolder(path), { loaded } = opened;
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

function openGguf(path: string, io: Io | undefined): Opened {
  const loaded = loadGguf(path), { tokenizer, chatTemplates } = loaded;
  if (typeof tokenizer !== 'string') return { path, loaded, tokenizer, chatTemplates, ids: loaded.rest };
  io?.note(`No text with "${path}", only token ids: ${tokenizer}.`);
  return { path, loaded, tokenizer: undefined, chatTemplates, ids: loaded.rest };
}

/** The tokenizer that a path stands for: a tokenizer.json, a model folder or run, a GGUF file. */
export async function openTokenizer(word: string, io: Io): Promise<Tokenizer> {
  if (word.endsWith('.json') && existsSync(word)) return loadTokenizer(word);
  const { path } = await localModel(word, io);
  if (!isGguf(path)) return loadTokenizer(path);
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
