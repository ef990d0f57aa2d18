// GGUF files as models: opened once, checked, read tensor by tensor; and written in one go. Layer: models (file access).

import { realpathSync, statSync } from 'node:fs';
import { DurableFile, storageError } from '../base/durable.ts';
import { ConfigError, FormatError, InterruptedError, NumericsError } from '../base/errors.ts';
import { bytesOf, isQuantised, sizeOf, type State } from '../core/index.ts';
import type { ChatTemplateSource } from '../tokenizer/chat-template-source.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { EncodeBlocks } from './block-encoder.ts';
import { parseConfig } from './config.ts';
import { weightName } from './family.ts';
import { ggufChatTemplates } from './gguf-chat-template.ts';
import { expertOf, stackedShape } from './gguf-experts.ts';
import { decodeForeign, FOREIGN, isForeign, recodeForeign } from './gguf-blocks.ts';
import { GGUF_FORMS } from './gguf-families.ts';
import { GgufFields } from './gguf-fields.ts';
import type { GgufForm, JoinedTensor } from './gguf-form.ts';
import { minusOne, restOf, storedPlusOne } from './norms-from-one.ts';
import { pairRows } from './pair-rows.ts';
import { parseGguf } from './gguf-header.ts';
import { specialIds, tokenizerEntries, tokenizerOf } from './gguf-tokenizer.ts';
import { typeToCompute } from './gguf-types.ts';
import { formatGguf, paddingOf, type GgufEntry } from './gguf-write.ts';
import type { GgufTensor } from './gguf.ts';
import type { LoadedModel } from './model-folder.ts';
import { createModel, type Model } from './model.ts';
import { ReadableFile, type MapFile } from './readable-file.ts';
import type { SpecialIds } from './special-ids.ts';
import { mixtureOf, type Mixture } from './weight-mixtures.ts';
import { asBytes, asValues, blockValues, decodeWeights, encodeWeights, type WeightType, type WeightValues } from './weight-types.ts';

/** A model whose weights lie in an open GGUF file. */
export interface LoadedGguf extends LoadedModel {
  /** The file's tokenizer, or why there is none that can be used. */
  readonly tokenizer: Tokenizer | string;
  readonly chatTemplates: ChatTemplateSource | undefined;
}

/** Whether a path is that of a GGUF file. */
export function isGguf(path: string): boolean {
  return path.endsWith('.gguf') && statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true;
}

/**
 * Opens a GGUF file of a family that is known. Header and names are checked now: every parameter is there with its shape,
 * and nothing else. Values are read when they are asked for.
 *
 * @param options.mapFile maps the file instead of reading it
 * @throws {StorageError} if it cannot be read
 * @throws {FormatError} naming tensor or key, and the reason
 */
export function loadGguf(path: string, options: { readonly mapFile?: MapFile } = {}): LoadedGguf {
  const file = openPlain(path);
  try {
    const fields = new GgufFields(parseGguf(file), path);
    file.map(options.mapFile);
    const architecture = fields.string('general.architecture'), known = Object.entries(GGUF_FORMS).find(([, form]) => form.architecture === architecture && (form.recognises?.(fields) ?? true));
    if (known === undefined) throw fields.error(`its architecture is ${JSON.stringify(architecture)}; supported are ${[...new Set(Object.values(GGUF_FORMS).map((form) => form.architecture))].join(', ')}`);
    const [modelType, form] = known, tensors = fields.header.tensors;
    const constant = (name: string): Float32Array | undefined => (tensors.has(name) ? read(file, tensors.get(name)!) : undefined);
    const { family, config } = parseConfig({ model_type: modelType, ...form.config(fields, constant) }, path);
    const model = createModel(family, config), { sources, joined } = matchStates(fields, form, model);
    const heads = (state: State): number | undefined => form.pairedHeads(state.id, model.dims), shifted = form.fromOne === undefined ? [] : model.states.filter(({ id }) => form.fromOne!(id));
    const rest = restOf(fields, new Map(shifted.map(({ id, meta }) => [id, sizeOf(meta.shape)]))), isShifted = new Set(shifted.map(({ id }) => id));
    const values = (state: State, out?: Float32Array): Float32Array => {
      const several = joined.get(state.id);
      if (several !== undefined) return several.join(several.parts.map(({ name }) => read(file, tensors.get(name)!)), out);
      const source = sourceOf(sources, state);
      return isShifted.has(state.id) ? minusOne(read(file, source, undefined, out ?? new Float32Array(sizeOf(source.shape))), rest.get(state.id)) : read(file, source, heads(state), out);
    };
    return {
      model,
      rest: specialIds(fields),
      tokenizer: tokenizerOf(fields),
      chatTemplates: ggufChatTemplates(fields),
      read: values,
      storedType: (state) => (joined.has(state.id) ? (joined.get(state.id)!.parts.every(({ name }) => tensors.get(name)!.type === 'f32') ? 'f32' : 'bf16') : typeToCompute(sourceOf(sources, state).type)),
      readStored: (state) => (isShifted.has(state.id) || joined.has(state.id) ? encodeWeights(state.meta.dtype as WeightType, values(state)) : readAs(file, sourceOf(sources, state), heads(state), state.meta.dtype as WeightType)),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function openPlain(path: string): ReadableFile {
  try {
    if (!statSync(realpathSync(path)).isFile()) throw new FormatError(`Cannot read "${path}": it is not a plain file.`, { path });
  } catch (cause) {
    throw storageError('read', path, cause);
  }
  return new ReadableFile(path);
}

function matchStates(fields: GgufFields, form: GgufForm, model: Model): { sources: Map<string, GgufTensor>; joined: Map<string, JoinedTensor> } {
  const left = new Map(fields.header.tensors), sources = new Map<string, GgufTensor>(), joined = new Map<string, JoinedTensor>();
  const take = (name: string, shape: readonly number[]): GgufTensor => {
    const tensor = fields.header.tensors.get(name);
    if (tensor === undefined) throw fields.error(`it has no tensor "${name}", which its metadata calls for`);
    if (tensor.shape.join() !== shape.join()) throw new FormatError(`Cannot read "${fields.path}": tensor "${name}" is [${tensor.shape.join(', ')}], but its metadata calls for [${shape.join(', ')}].`, { path: fields.path, offset: tensor.begin });
    left.delete(name);
    return tensor;
  };
  for (const state of model.states) {
    const name = nameOf(form, state), several = left.has(name) ? undefined : form.joined?.(state, model.dims, model.config);
    if (several !== undefined && left.has(several.parts[0]!.name)) {
      for (const part of several.parts) take(part.name, part.shape);
      joined.set(state.id, several);
    } else sources.set(state.id, partOf(take(name, stackedShape(state, model.dims.experts?.all ?? 0)), expertOf(state.id)));
  }
  const extra = [...left.values()].find(({ name }) => !form.ignored.test(name));
  if (extra !== undefined) throw new FormatError(`Cannot read "${fields.path}": it holds tensor "${extra.name}", which a ${form.architecture} model here does not have.`, { path: fields.path, offset: extra.begin });
  return { sources, joined };
}

/** An expert's part of a tensor that holds those of all. */
function partOf(tensor: GgufTensor, expert: number | undefined): GgufTensor {
  if (expert === undefined) return tensor;
  const [nExperts, ...shape] = tensor.shape as [number, ...number[]], size = (tensor.end - tensor.begin) / nExperts;
  return { ...tensor, shape, begin: tensor.begin + expert * size, end: tensor.begin + (expert + 1) * size };
}

function nameOf(form: GgufForm, { id }: Pick<State, 'id'>): string {
  const stored = weightName(form, id);
  if (stored === undefined) throw new ConfigError(`Cannot name "${id}" in a GGUF file: there is no line for it in the table of ${form.architecture}.`);
  return stored.name;
}

function sourceOf(sources: ReadonlyMap<string, GgufTensor>, state: State): GgufTensor {
  const source = sources.get(state.id);
  if (source === undefined) throw new ConfigError(`Cannot read the values of "${state.id}": it is no parameter of this model.`);
  return source;
}

/** A tensor's bytes, rows in our order. */
function rowsOf(file: ReadableFile, tensor: GgufTensor, heads: number | undefined): Uint8Array {
  const size = tensor.end - tensor.begin, bytes = file.view(tensor.begin, size) ?? file.read(new Uint8Array(size), tensor.begin);
  return heads === undefined ? bytes : pairRows(bytes, tensor.shape[0]!, heads, false);
}

function read(file: ReadableFile, tensor: GgufTensor, heads?: number, out?: Float32Array): Float32Array {
  const bytes = rowsOf(file, tensor, heads);
  if (tensor.type === 'f32' && out === undefined) return asValues('f32', bytes) as Float32Array;
  const values = out ?? new Float32Array(sizeOf(tensor.shape));
  return isForeign(tensor.type) ? decodeForeign(tensor.type, bytes, values) : decodeWeights(tensor.type, bytes, values);
}

function readAs(file: ReadableFile, tensor: GgufTensor, heads: number | undefined, type: WeightType): WeightValues {
  if (tensor.type === type) return asValues(type, rowsOf(file, tensor, heads));
  const recoded = isForeign(tensor.type) && FOREIGN[tensor.type].computed === type ? recodeForeign(tensor.type, rowsOf(file, tensor, heads), bytesOf({ shape: tensor.shape, dtype: type })) : undefined;
  return recoded ?? encodeWeights(type, read(file, tensor, heads));
}

/** What a GGUF file is made of. */
export interface GgufContents {
  readonly model: Model;
  /** A State's values, in f32. */
  readonly read: (state: State) => Float32Array;
  readonly mixture: Mixture;
  readonly tokenizer?: Tokenizer | undefined;
  readonly special?: SpecialIds;
  /** `general.name`. */
  readonly name?: string;
}

export interface SaveGgufOptions {
  /** Encodes block formats: `BlockEncoder.encode` on the native core; by default `encodeBlocks`, on one thread. */
  readonly encode?: EncodeBlocks;
  /** Called between pieces with bytes. */
  readonly progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Values encoded between two looks at the signal: a few tenths of a second of the slowest format. */
const PIECE_VALUES = 2 ** 20;

/**
 * Writes a GGUF file, whole or not at all, holding one tensor at a time.
 *
 * @returns what other readers will not do as we do, if anything
 * @throws {ConfigError} if the family has no GGUF form, llama.cpp would compute something else, or the tokenizer does not fit
 * @throws {NumericsError} naming the tensor whose values a block format cannot hold
 * @throws {InterruptedError} when `signal` aborts; there is then no file
 */
export async function saveGguf(path: string, contents: GgufContents, { encode, progress, signal }: SaveGgufOptions = {}): Promise<string | undefined> {
  const { model } = contents, { family, config, dims } = model, form = GGUF_FORMS[family.modelType];
  if (form === undefined) throw new ConfigError(`Cannot write a ${family.modelType} model as GGUF: supported are ${Object.keys(GGUF_FORMS).join(', ')}.`);
  const reason = form.cannot?.(config, dims);
  if (reason !== undefined) throw new ConfigError(`Cannot write this ${family.modelType} model as GGUF: ${reason}. Export safetensors instead.`);
  const own = new Map(model.states.map((state) => [state.id, state])), stored = createModel(family, family.stored?.(config) ?? config);
  const tensors = [...byTensor(form, stored)].map(([name, parts]) => ({
    name,
    parts: parts.map(({ id }) => own.get(id)),
    type: mixtureOf(contents.mixture, stored, parts[0]!),
    shape: stackedShape(parts[0]!, parts.length),
    heads: form.pairedHeads(parts[0]!.id, dims),
  }));
  const constants = form.constants(config, dims).map(({ name, values }) => ({ name, values, type: 'f32' as const, shape: [values.length] }));
  const shifted = storedPlusOne(new Map(form.fromOne === undefined ? [] : stored.states.filter(({ id }) => form.fromOne!(id)).map((state) => [state.id, contents.read(state)])));
  const vocabulary = tokenizerEntries(contents.tokenizer, dims.vocabSize, contents.special ?? {});
  const header = formatGguf([...generalEntries(form, contents), ...form.entries(config, dims), ...shifted.entries, ...vocabulary.entries], [...constants, ...tensors]);
  const total = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0), file = new DurableFile(path);
  try {
    file.write(header);
    for (const { values } of constants) writePadded(file, asBytes(values));
    let done = 0;
    for (const { parts, name, type, shape, heads } of tensors) {
      for (const state of parts) {
        const values = state === undefined ? new Float32Array(sizeOf(shape) / parts.length) : shifted.stored.get(state.id) ?? contents.read(state);
        for (const piece of pieces(heads === undefined ? values : asValues('f32', pairRows(asBytes(values), shape[0]!, heads, true)) as Float32Array, type)) {
          file.write(await encoded(type, piece, name, encode));
          progress?.(done += piece.length, total);
          await new Promise((resolve) => setImmediate(resolve)); // lets Ctrl-C in
          if (signal?.aborted) throw new InterruptedError(`Stopped; "${path}" was not written.`);
        }
      }
      writePadding(file, bytesOf({ shape, dtype: type }));
    }
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
  const notes = [vocabulary.note, form.note?.(config)].filter((note) => note !== undefined);
  return notes.length === 0 ? undefined : notes.join('; ');
}

function generalEntries(form: GgufForm, { mixture, name }: GgufContents): GgufEntry[] {
  return [
    { key: 'general.architecture', type: 'string', value: form.architecture },
    ...(name === undefined ? [] : [{ key: 'general.name', type: 'string', value: name } as const]),
    { key: 'general.file_type', type: 'u32', value: FILE_TYPES[mixture] },
    { key: 'general.quantization_version', type: 'u32', value: 2 }, // GGML_QNT_VERSION: the layout of the blocks
  ];
}

/** States by the tensor that holds them: one, or every expert's in order. */
function byTensor(form: GgufForm, { states }: Model): Map<string, State[]> {
  const tensors = new Map<string, State[]>();
  for (const state of states) {
    const name = nameOf(form, state), parts = tensors.get(name) ?? [];
    parts[expertOf(state.id) ?? 0] = state;
    tensors.set(name, parts);
  }
  return tensors;
}

/** llama_ftype: what most of the file is. */
const FILE_TYPES: Readonly<Record<Mixture, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 7, q4_k_m: 15, q5_k_m: 17, bf16: 32 };

function* pieces(values: Float32Array, type: WeightType): Generator<Float32Array> {
  const step = Math.ceil(PIECE_VALUES / blockValues(type)) * blockValues(type);
  for (let from = 0; from < values.length; from += step) yield values.subarray(from, Math.min(values.length, from + step));
}

async function encoded(type: WeightType, values: Float32Array, name: string, encode: EncodeBlocks | undefined): Promise<Uint8Array> {
  try {
    return encode !== undefined && isQuantised(type) ? await encode(type, values) : asBytes(encodeWeights(type, values));
  } catch (cause) {
    if (!(cause instanceof NumericsError)) throw cause;
    throw new NumericsError(`Cannot write tensor "${name}" as ${type}: ${cause.message}`, { step: 0, tensor: name });
  }
}

function writePadded(file: DurableFile, bytes: Uint8Array): void {
  file.write(bytes);
  writePadding(file, bytes.length);
}

function writePadding(file: DurableFile, length: number): void {
  file.write(new Uint8Array(paddingOf(length)));
}
