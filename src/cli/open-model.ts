// Words that name a model: a folder, a run, a GGUF file, a hub's name. Layer: cli.

import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ConfigError, FormatError } from '../base/errors.ts';
import { CONFIG_FILE, foreignKind, isGguf, isHubName, loadGguf, PICKLE_NAME, PICKLE_REASON, ReadableFile, WEIGHTS_FILE, type WeightType } from '../models/index.ts';
import { modelFolder, openLocal, type OpenModel } from '../serve/open-model.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.ts';
import type { ArgumentSpec, Io } from './command.ts';

export { openEngine, openLocal, type OpenModel } from '../serve/open-model.ts';

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
  if (statSync(word, { throwIfNoEntry: false })?.isFile() !== true) return { path: modelFolder(word, (text) => io.note(text)), commit: null };
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
  return openLocal((await localModel(word, io)).path, (text) => io.note(text), types);
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

/** Numbers with commas or spaces between them. @throws {ConfigError} */
export function parseIds(text: string, option: string): number[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== ''), ids = words.map(Number);
  const wrong = words.find((_, i) => !Number.isInteger(ids[i]) || ids[i]! < 0);
  if (wrong !== undefined) throw new ConfigError(`Cannot use --${option} "${text}": "${wrong}" is no token id. Give whole numbers with commas between them, such as 1,2,3.`, { path: option });
  return ids;
}
