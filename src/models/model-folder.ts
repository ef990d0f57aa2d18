// Model folders, as Hugging Face's libraries read and write them: config.json beside model.safetensors, or beside shards
// with an index. Layer: models (file access; the rest of the folder is pure).

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../base/durable.ts';
import { ConfigError, FormatError, NumericsError, ShapeError, StorageError } from '../base/errors.ts';
import { bytesOf, sizeOf, type State } from '../core/index.ts';
import { parseJson } from '../base/checked-json.ts';
import { parseConfig } from './config.ts';
import { configText, weightName, type StoredName } from './family.ts';
import { PICKLE_NAME, PICKLE_REASON } from './foreign-files.ts';
import { createModel, type Model } from './model.ts';
import { formatHeader, type StoredTensor, type TensorToStore } from './safetensors.ts';
import type { MapFile } from './readable-file.ts';
import { fileWithin, WeightFile } from './weight-files.ts';
import { asBytes, asValues, computedType, encodeWeights, type WeightType, type WeightValues } from './weight-types.ts';

export const CONFIG_FILE = 'config.json';
export const WEIGHTS_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';

/** Bytes compared at a time. */
const COMPARED_BYTES = 2 ** 20;

/** A model whose weights lie in open files. */
export interface LoadedModel {
  readonly model: Model;
  /** Fields of config.json that are not used here; give them to `saveModel` to keep them. */
  readonly rest: Readonly<Record<string, unknown>>;
  /**
   * A State's values, read from the file now.
   *
   * @param out where to put them; without it a new array, or a read-only view where the file is mapped
   */
  read(state: State, out?: Float32Array): Float32Array;
  /** The type to compute a matrix in: the file's own, but bf16 for f16, which has no kernels. */
  storedType(state: State): WeightType;
  /** A State's values in its own dtype (`withWeightTypes`), as an executor takes them. @throws {NumericsError} if a block format cannot hold them */
  readStored(state: State): WeightValues;
  /** Closes the files. What was read stays; mapped views live as long as the mapping. */
  close(): void;
}

/** Where a State's values are; none for one that the files leave out because it is zero. */
interface Source {
  readonly file: WeightFile;
  readonly tensor: StoredTensor;
  readonly stored: StoredName;
}

/**
 * Opens a model folder. Headers and names are checked now: every parameter is there with its shape, and nothing else.
 *
 * @param options.mapFile maps a file instead of reading it
 * @throws {StorageError} if the folder or a file is missing or unreadable
 * @throws {FormatError} naming file, tensor and reason
 */
export function loadModel(folder: string, options: { readonly mapFile?: MapFile } = {}): LoadedModel {
  const configPath = join(folder, CONFIG_FILE), text = readText(folder, CONFIG_FILE);
  if (text === undefined) throw missing(folder, CONFIG_FILE);
  const { family, config, rest } = parseConfig(parseJson(text, configPath).value, configPath);
  refuseQuantised(rest, configPath);
  const model = fromFile(configPath, () => createModel(family, config));
  const stored = fromFile(configPath, () => createModel(family, family.stored?.(config) ?? config));
  const files = openWeightFiles(folder, options.mapFile);
  try {
    const sources = matchStates(folder, model, stored, files);
    return {
      model,
      rest,
      read: (state, out) => readState(state, sources.get(state.id), out),
      storedType: (state) => computedType(typeOfSource(sources.get(state.id))),
      readStored: (state) => readStored(state, sources.get(state.id)),
      close: () => files.forEach((file) => file.close()),
    };
  } catch (error) {
    files.forEach((file) => file.close());
    throw error;
  }
}

/** Weights that are only meaningful with scales beside them must not be read as they stand. */
function refuseQuantised({ quantization_config: quantised }: Readonly<Record<string, unknown>>, path: string): void {
  if (quantised === undefined || quantised === null) return;
  const method = (quantised as { quant_method?: unknown }).quant_method;
  throw new FormatError(`Cannot read "${path}": its quantization_config says that the weights are quantised${typeof method === 'string' ? ` (${method})` : ''}, which is not supported. Get the model as it was before that, or a GGUF file of it.`, { path });
}

/** Errors of numbers that do not fit are the file's here, not the caller's. */
function fromFile<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof ConfigError) throw new FormatError(`Cannot read "${path}": ${cause.message}`, { path, cause });
    throw cause;
  }
}

/** Longer ones are not read: the index of the largest model in use takes some 10 MB. */
const MAX_TEXT_BYTES = 64 * 2 ** 20;

/** A file of a folder as text, or undefined if it is not there. @throws {FormatError} if it is no UTF-8, or too long */
export function readText(folder: string, name: string): string | undefined {
  const path = fileWithin(folder, name);
  if (path === undefined) return undefined;
  try {
    const { size } = statSync(path);
    if (size > MAX_TEXT_BYTES) throw new FormatError(`Cannot read "${path}": it has ${size} bytes, and more than ${MAX_TEXT_BYTES} are not read. Get another copy of it.`, { path, offset: MAX_TEXT_BYTES });
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    if (cause instanceof TypeError) throw new FormatError(`Cannot read "${path}": it is not UTF-8. Get another copy of it.`, { path, cause });
    throw storageError('read', path, cause);
  }
}

function missing(folder: string, name: string): StorageError | FormatError {
  const there = statSync(folder, { throwIfNoEntry: false });
  if (there?.isDirectory() === true && name === WEIGHTS_FILE) {
    const pickle = readdirSync(folder).find((file) => PICKLE_NAME.test(file));
    if (pickle !== undefined) return new FormatError(`Cannot read the model "${folder}": its weights are in "${pickle}", and ${PICKLE_REASON}`, { path: join(folder, pickle) });
  }
  const state = there === undefined ? 'there is no such folder' : there.isDirectory() ? `it has no ${name}` : 'it is a file, not a folder';
  return new StorageError(`Cannot read the model "${folder}": ${state}. A model folder holds ${CONFIG_FILE} and ${WEIGHTS_FILE}.`, { path: folder });
}

/**
 * Opens the safetensors files of a folder: the one, or those that the index names. The caller closes them.
 *
 * @throws {FormatError} if a header or the index lies, a shard is missing, or the weights are pickles
 * @throws {StorageError} if there are none, or one cannot be read
 */
export function openWeightFiles(folder: string, mapFile?: MapFile): WeightFile[] {
  const whole = fileWithin(folder, WEIGHTS_FILE);
  if (whole !== undefined) return [new WeightFile(whole, mapFile)];
  const text = readText(folder, INDEX_FILE);
  if (text === undefined) throw missing(folder, WEIGHTS_FILE);
  const files: WeightFile[] = [];
  try {
    for (const [name, tensors] of shardsOf(text, join(folder, INDEX_FILE))) {
      const path = fileWithin(folder, name);
      if (path === undefined) throw new FormatError(`Cannot read the model "${folder}": ${INDEX_FILE} names "${name}", which is not there. Get that file too.`, { path: join(folder, name) });
      const file = new WeightFile(path, mapFile);
      files.push(file);
      const absent = tensors.find((tensor) => !file.tensors.has(tensor));
      if (absent !== undefined) throw new FormatError(`Cannot read "${path}": ${INDEX_FILE} says that it holds "${absent}", but it does not. Get both files again.`, { path });
    }
  } catch (error) {
    files.forEach((file) => file.close());
    throw error;
  }
  return files;
}

/** An index's files, each with the names of its tensors. */
function shardsOf(text: string, path: string): Map<string, string[]> {
  const map = parseJson(text, path).field('weight_map'), shards = new Map<string, string[]>();
  for (const tensor of Object.keys(map.object())) {
    const name = map.field(tensor).string(), tensors = shards.get(name);
    if (tensors === undefined) shards.set(name, [tensor]);
    else tensors.push(tensor);
  }
  return shards;
}

/** Finds each State's tensor. @throws {FormatError} if one is missing, of another shape, there twice, or unknown */
function matchStates(folder: string, model: Model, stored: Model, files: readonly WeightFile[]): Map<string, Source> {
  const { family } = model, held = new Map<string, { file: WeightFile; tensor: StoredTensor }>();
  for (const file of files) {
    for (const [name, tensor] of file.tensors) {
      const full = fullName(stored, name), other = held.get(full);
      if (other !== undefined) throw new FormatError(`Cannot read the model "${folder}": "${name}" is there twice, in "${other.file.path}" and "${file.path}".`, { path: file.path, offset: tensor.begin });
      held.set(full, { file, tensor });
    }
  }
  const wanted = new Set(model.states.map(({ id }) => id)), sources = new Map<string, Source>();
  for (const state of stored.states) {
    const name = storedNameOf(stored, state), found = held.get(name.name);
    held.delete(name.name);
    if (found === undefined) {
      if (wanted.has(state.id)) throw new FormatError(`Cannot read the model "${folder}": its files hold no "${name.name}", which ${CONFIG_FILE} calls for.`, { path: folder });
      continue;
    }
    checkShape(state, name, found);
    if (wanted.has(state.id)) sources.set(state.id, { ...found, stored: name });
    else checkZero(state, { ...found, stored: name });
  }
  const tied = model.config.tie_word_embeddings ? storedNameOf(stored, { id: 'head.weight' }).name : undefined;
  for (const [name, { file, tensor }] of held) {
    if (name === tied) checkSame({ file, tensor }, sources.get('embed.weight')!);
    else if (!family.ignored.test(name)) throw new FormatError(`Cannot read "${file.path}": it holds "${tensor.name}", which a ${family.modelType} model of this ${CONFIG_FILE} does not have.`, { path: file.path, offset: tensor.begin });
  }
  return sources;
}

/** A checkpoint's name with the family's prefix, which some files leave out. */
function fullName({ family }: Model, given: string): string {
  const name = family.storedName?.(given) ?? given;
  if (family.ignored.test(name)) return name;
  return name.startsWith(family.prefix) || Object.values(family.weights).includes(name) ? name : family.prefix + name;
}

function storedNameOf({ family }: Model, { id }: Pick<State, 'id'>): StoredName {
  const name = weightName(family, id);
  if (name === undefined) throw new ConfigError(`Cannot name "${id}" in a checkpoint: ${family.modelType} has no line for it in its table of weights.`);
  return name;
}

const storedShape = (state: State, { transposed }: StoredName): readonly number[] => {
  const shape = state.meta.shape as readonly number[];
  return transposed ? [...shape].reverse() : shape;
};

function checkShape(state: State, stored: StoredName, { file, tensor }: { file: WeightFile; tensor: StoredTensor }): void {
  const shape = storedShape(state, stored);
  if (tensor.shape.join() === shape.join()) return;
  throw new FormatError(`Cannot read "${file.path}": "${tensor.name}" is [${tensor.shape.join(', ')}], but ${CONFIG_FILE} calls for [${shape.join(', ')}].`, { path: file.path, offset: tensor.begin });
}

function checkZero(state: State, source: Source): void {
  if (readState(state, source).every((value) => value === 0)) return;
  const { file, tensor } = source;
  throw new FormatError(`Cannot read "${file.path}": "${tensor.name}" is not zero, but ${CONFIG_FILE} says that the model is without it.`, { path: file.path, offset: tensor.begin });
}

/** Tied weights that a file holds twice must be the same. */
function checkSame(a: Omit<Source, 'stored'>, b: Omit<Source, 'stored'>): void {
  const bytes = a.tensor.end - a.tensor.begin;
  let same = a.tensor.dtype === b.tensor.dtype && a.tensor.shape.join() === b.tensor.shape.join();
  for (let at = 0; same && at < bytes; at += COMPARED_BYTES) {
    same = Buffer.compare(a.file.readBytes(a.tensor, at, COMPARED_BYTES), b.file.readBytes(b.tensor, at, COMPARED_BYTES)) === 0;
  }
  if (same) return;
  throw new FormatError(`Cannot read "${a.file.path}": "${a.tensor.name}" and "${b.tensor.name}" differ, but ${CONFIG_FILE} says that they are tied.`, { path: a.file.path, offset: a.tensor.begin });
}

function readState(state: State, source: Source | undefined, out?: Float32Array): Float32Array {
  if (source === undefined) throw new ConfigError(`Cannot read the values of "${state.id}": it is no parameter of this model.`);
  const { file, tensor, stored } = source;
  const view = stored.transposed ? undefined : file.viewF32(tensor);
  if (view !== undefined && out === undefined) return view;
  const values = out ?? new Float32Array(sizeOf(state.meta.shape));
  if (!stored.transposed) {
    file.readF32(tensor, values);
    return values;
  }
  const [rows, columns] = tensor.shape as [number, number], read = new Float32Array(values.length);
  file.readF32(tensor, read);
  return transpose(read, rows, columns, values);
}

const FILE_TYPES: Readonly<Record<string, WeightType>> = { F32: 'f32', BF16: 'bf16', F16: 'f16' };

const typeOfSource = (source: Source | undefined): WeightType => FILE_TYPES[source?.tensor.dtype ?? ''] ?? 'f32';

function readStored(state: State, source: Source | undefined): WeightValues {
  const type = state.meta.dtype as WeightType;
  if (type === 'f32' || source === undefined || source.stored.transposed || typeOfSource(source) !== type) return encodeWeights(type, readState(state, source));
  return asValues(type, source.file.readBytes(source.tensor, 0, Infinity));
}

/** Tiles of 32×32 keep both sides in the first-level cache (8 kB). */
const TILE = 32;

/** [rows, columns] → [columns, rows]. */
function transpose(from: Float32Array, rows: number, columns: number, to: Float32Array): Float32Array {
  for (let r0 = 0; r0 < rows; r0 += TILE) {
    for (let c0 = 0; c0 < columns; c0 += TILE) {
      const rEnd = Math.min(rows, r0 + TILE), cEnd = Math.min(columns, c0 + TILE);
      for (let c = c0; c < cEnd; c++) for (let r = r0; r < rEnd; r++) to[c * rows + r] = from[r * columns + c]!;
    }
  }
  return to;
}

/** What a model folder's weights are written as. */
export interface SaveModelOptions {
  /** Of all tensors; by default f32, which loses nothing. */
  readonly dtype?: FolderType;
  /** Larger models are cut into files of at most so many bytes, with an index; a tensor is never cut. Default 5 GB. */
  readonly maxShardBytes?: number;
}

/** Types of model folders, and what config.json calls them. */
export const FOLDER_TYPES = { f32: 'float32', bf16: 'bfloat16', f16: 'float16' } as const;

export type FolderType = keyof typeof FOLDER_TYPES;

/** As transformers cuts. */
const MAX_SHARD_BYTES = 5e9;

/** A tensor on its way into a file. */
interface Entry {
  /** undefined for one that a checkpoint has and the model has not: zeros. */
  readonly state: State | undefined;
  readonly like: State;
  readonly name: StoredName;
  readonly bytes: number;
}

/**
 * Writes a model folder's config.json and weights. Each file appears whole or not at all, weights first; only one tensor
 * at a time is copied.
 *
 * @param read a State's values, as `LoadedModel.read` or an executor's memory
 * @param rest further fields of config.json
 * @throws {NumericsError} if a value is too large for f16
 * @throws {StorageError} with a remedy; files that were there before are then still there
 */
export function saveModel(folder: string, model: Model, read: (state: State) => Float32Array, rest: Readonly<Record<string, unknown>> = {}, options: SaveModelOptions = {}): void {
  const { family, config } = model, { dtype = 'f32', maxShardBytes = MAX_SHARD_BYTES } = options, own = new Map(model.states.map((state) => [state.id, state]));
  const stored = createModel(family, family.stored?.(config) ?? config);
  const entries = stored.states.map((like): Entry => ({ state: own.get(like.id), like, name: storedNameOf(stored, like), bytes: bytesOf({ shape: like.meta.shape, dtype }) }));
  makeFolder(folder);
  const shards = intoShards(entries, maxShardBytes), single = shards.length === 1;
  const named = shards.map((shard, i) => ({ shard, file: single ? WEIGHTS_FILE : `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors` }));
  for (const { shard, file } of named) writeDurable(join(folder, file), shardChunks(shard, dtype, read));
  if (single) removeFile(join(folder, INDEX_FILE));
  else {
    const weightMap = Object.fromEntries(named.flatMap(({ shard, file }) => shard.map(({ name }) => [name.name, file])));
    writeDurable(join(folder, INDEX_FILE), `${JSON.stringify({ metadata: { total_size: entries.reduce((sum, { bytes }) => sum + bytes, 0) }, weight_map: weightMap }, null, 2)}\n`);
    removeFile(join(folder, WEIGHTS_FILE)); // readers take it before the index
  }
  const { dtype: _, ...kept } = rest; // transformers 5's word for torch_dtype, of the file that was read
  const fields = { ...family.written, ...kept, model_type: family.modelType, ...config, torch_dtype: FOLDER_TYPES[dtype] };
  writeDurable(join(folder, CONFIG_FILE), configText(family, fields));
}

function intoShards(entries: readonly Entry[], most: number): Entry[][] {
  const shards: Entry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    if (bytes > 0 && bytes + entry.bytes > most) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(entry);
    bytes += entry.bytes;
  }
  return shards;
}

function* shardChunks(shard: readonly Entry[], dtype: FolderType, read: (state: State) => Float32Array): Generator<Uint8Array> {
  yield formatHeader(shard.map(({ like, name }): TensorToStore => ({ name: name.name, dtype: dtype.toUpperCase() as TensorToStore['dtype'], shape: storedShape(like, name) })), { format: 'pt' });
  for (const { state, like, name } of shard) yield narrowed(bytesToStore(like, name, state === undefined ? new Float32Array(sizeOf(like.meta.shape)) : read(state)), dtype, name.name);
}

function narrowed(bytes: Uint8Array, dtype: FolderType, name: string): Uint8Array {
  if (dtype === 'f32') return bytes;
  const values = asValues('f32', bytes) as Float32Array;
  const large = dtype === 'f16' ? values.find((value) => Number.isFinite(value) && Math.abs(value) >= F16_LIMIT) : undefined;
  if (large !== undefined) throw new NumericsError(`Cannot write tensor "${name}" as f16: it holds ${large}, and f16 ends at 65504. Choose bf16.`, { step: 0, tensor: name });
  return asBytes(encodeWeights(dtype, values));
}

/** What rounds to infinity: half a step beyond the largest f16, 65504. */
const F16_LIMIT = 65520;

function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    throw storageError('delete', path, cause);
  }
}

function bytesToStore(state: State, { transposed }: StoredName, values: Float32Array): Uint8Array {
  const shape = state.meta.shape as readonly number[], size = sizeOf(shape);
  if (values.length !== size) {
    throw new ShapeError(`Cannot save "${state.id}": it has ${size} values, but ${values.length} were given.`, { op: 'saveModel', shapes: [`[${shape.join(', ')}]`, `[${values.length}]`] });
  }
  const laid = transposed ? transpose(values, shape[0]!, shape[1]!, new Float32Array(size)) : values;
  return new Uint8Array(laid.buffer, laid.byteOffset, laid.byteLength);
}
