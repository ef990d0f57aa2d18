// Data of a recipe, built once: corpus, tokenizer and token shards in one folder. Layer: cli.
//   DIR/corpus/        train.jsonl, validation.jsonl, corpus.json with the report
//   DIR/tokenizer.json, generation_config.json
//   DIR/train/, DIR/validation/    token shards
//   DIR/data.json      what this was built from; written last, so that an unfinished folder is built anew

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../base/durable.ts';
import { ConfigError } from '../base/errors.ts';
import { byteSize, compact } from '../base/progress.ts';
import { buildCorpus, buildPipeline, Corpus, corpusOptions, pipelineSpec, TokenShards, writeShards, type OpenOptions, type Progress, type Side } from '../data/index.ts';
import { formatTokenizer, loadTokenizer, saveTokenizer, TOKENIZER_FILE, trainBpeParallel, trainChars, type Tokenizer } from '../tokenizer/index.ts';
import type { Io } from './command.ts';
import { END_OF_TEXT, type DataRecipe } from './recipe.ts';

/** The name under which Hugging Face's libraries look for ids that end a text. */
export const GENERATION_FILE = 'generation_config.json';
const MADE_FROM = 'data.json';

/** Data that is ready to train on. */
export interface PreparedData {
  readonly dir: string;
  readonly tokenizer: Tokenizer;
  /** Files that every checkpoint gets a copy of. */
  readonly files: readonly string[];
  readonly endOfText: number | undefined;
  /** Whether it was built now, or was there. */
  readonly fresh: boolean;
}

type Context = { readonly recipe: DataRecipe; readonly dir: string; readonly io: Io };

/** Opens the corpus of a data folder. */
export function openCorpus(dir: string): Corpus {
  return Corpus.open(join(dir, 'corpus'));
}

/** Opens the shards of a data folder; there are none of a side that has no text. */
export function openShards(dir: string, options: OpenOptions = {}): { train: TokenShards; validation: TokenShards | undefined } {
  const validation = join(dir, 'validation');
  return { train: TokenShards.open(join(dir, 'train'), options), validation: existsSync(join(validation, 'shards.json')) ? TokenShards.open(validation, options) : undefined };
}

/**
 * Builds the data of a recipe in a folder, or finds it there: the same sections of the recipe give the same data.
 *
 * @param options.reuseOnly do not build: a run is being resumed
 * @throws {ConfigError} if the recipe names no text, nothing is left of it, or a resumed run's data was built otherwise
 */
export async function prepareData(recipe: DataRecipe, dir: string, io: Io, options: { readonly reuseOnly?: boolean } = {}): Promise<PreparedData> {
  const { sampling: _s, dir: given, processes: _p, memory: _m, ...data } = recipe.data, { seed, tokenizer } = recipe;
  const key = createHash('sha256').update(JSON.stringify({ seed, data, tokenizer })).digest('hex'), made = readKey(dir);
  if (made !== undefined && (made === key || (given !== undefined && data.path === undefined && data.sources === undefined))) return finished(recipe, dir, false);
  if (options.reuseOnly === true && made !== undefined) throw new ConfigError(`Cannot resume: the data in "${dir}" was built with other settings of data, tokenizer or seed. Use the run's own recipe, or start a new run.`, { path: 'data' });
  if (data.path !== undefined && data.sources !== undefined) throw new ConfigError('Cannot use data.path and data.sources together: name the folder as a source of kind files.', { path: 'data.sources' });
  if (data.path === undefined && data.sources === undefined) {
    throw new ConfigError(given === undefined
      ? 'Cannot build the data: the recipe names no text. Set data.path to a folder or file (--data.path corpus.txt), or list data.sources.'
      : `Cannot use data.dir "${given}": there is no built data. Build it with \`athanor data build\`, or set data.path.`, { path: given === undefined ? 'data.path' : 'data.dir' });
  }
  makeFolder(dir);
  const context: Context = { recipe, dir, io }, corpus = await makeCorpus(context), learnt = await makeTokenizer(context, corpus);
  await makeShards(context, corpus, learnt);
  writeDurable(join(dir, MADE_FROM), `${JSON.stringify({ key, seed, data, tokenizer }, null, 2)}\n`);
  return finished(recipe, dir, true);
}

function readKey(dir: string): string | undefined {
  const path = join(dir, MADE_FROM);
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { key?: string }).key;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' || cause instanceof SyntaxError) return undefined;
    throw storageError('read', path, cause);
  }
}

function finished(recipe: DataRecipe, dir: string, fresh: boolean): PreparedData {
  const path = join(dir, TOKENIZER_FILE), tokenizer = loadTokenizer(path), endOfText = endOf(recipe, tokenizer);
  return { dir, tokenizer, files: [path, join(dir, GENERATION_FILE)], endOfText, fresh };
}

function endOf(recipe: DataRecipe, tokenizer: Tokenizer): number | undefined {
  return recipe.tokenizer.endOfText ? tokenizer.specialTokens.get(END_OF_TEXT) : undefined;
}

async function makeCorpus({ recipe, dir, io }: Context): Promise<Corpus> {
  const { dir: _, ...data } = recipe.data, onProgress = (progress: Progress): void => showProgress(io, progress), to = join(dir, 'corpus'), { signal } = io;
  const corpus = data.sources === undefined
    ? await buildCorpus({ ...corpusOptions(data), dir: to, seed: recipe.seed, signal, onProgress }) :
    (await buildPipeline(pipelineSpec(data, recipe.seed), { dir: to, work: join(dir, 'work'), processes: data.processes, signal, onProgress }))!;
  const { files, documents, split } = corpus.report;
  io.note(`Corpus: ${files.read} of ${files.found} files read, ${documents.kept} of ${documents.read} documents kept: ${byteSize(split.train.bytes)} to train on, ${byteSize(split.validation.bytes)} held out (split by ${corpus.manifest.splitLevel}).`);
  return corpus;
}

/** How far a job of the data layer is. */
export function showProgress(io: Io, { stage, unit, done, total, bytes, bytesPerSecond }: Progress): void {
  const show = unit === 'bytes' ? byteSize : compact;
  io.progress.update(() => `${STAGES[stage]}: ${show(done)}${total === undefined ? '' : ` of ${show(total)}`}${unit === 'bytes' ? '' : ` ${unit}, ${byteSize(bytes)}`}, ${byteSize(bytesPerSecond)}/s`);
}

const STAGES: Readonly<Record<Progress['stage'], string>> = {
  walk: 'Looking for files',
  read: 'Reading and cleaning',
  'near-copies': 'Looking for near-copies',
  parts: 'Reading and cleaning',
  index: 'Comparing documents',
  decide: 'Finding copies',
  write: 'Writing the corpus',
  tokenize: 'Encoding',
};

async function makeTokenizer({ recipe, dir, io }: Context, corpus: Corpus): Promise<Tokenizer> {
  const { path, kind, vocabSize, pattern, endOfText } = recipe.tokenizer, specialTokens = endOfText ? [END_OF_TEXT] : [];
  const began = performance.now();
  const tokenizer = path !== undefined ?
    loadTokenizer(path)
    : kind === 'chars' ?
    await trainChars(corpus.manifest.report.split.validation.bytes > 0 ? bothSides(corpus) : corpus.texts('train'), { specialTokens })
    : await trainBpeParallel(corpus.texts('train'), {
      vocabSize,
      specialTokens,
      pattern,
      signal: io.signal,
      onProgress: ({ stage, done, total }) => io.progress.update(() => `Learning the vocabulary: ${stage === 'count' ? `${compact(done)} characters counted` : `${done} of ${total} tokens`}`),
    });
  saveTokenizer(tokenizer, join(dir, TOKENIZER_FILE));
  const end = endOf(recipe, tokenizer);
  writeDurable(join(dir, GENERATION_FILE), `${JSON.stringify(end === undefined ? {} : { bos_token_id: end, eos_token_id: end }, null, 2)}\n`);
  io.note(`Tokenizer: ${tokenizer.vocabSize} tokens, ${path === undefined ? `learnt in ${((performance.now() - began) / 1000).toFixed(1)} s` : `from ${path}`}.`);
  return tokenizer;
}

/** A character vocabulary needs the held-out characters too: they cannot be written otherwise (nanoGPT does the same). */
function* bothSides(corpus: Corpus): Generator<string> {
  yield* corpus.texts('train');
  yield* corpus.texts('validation');
}

async function makeShards({ recipe, dir, io }: Context, corpus: Corpus, tokenizer: Tokenizer): Promise<void> {
  const end = endOf(recipe, tokenizer), tokenizerHash = createHash('sha256').update(formatTokenizer(tokenizer)).digest('hex');
  for (const side of ['train', 'validation'] as const satisfies readonly Side[]) {
    const { bytes } = corpus.report.split[side];
    if (bytes === 0 && side === 'validation') continue;
    const manifest = await writeShards(corpus.documents(side), {
      dir: join(dir, side),
      vocabSize: tokenizer.vocabSize,
      encode: (text) => tokenizer.encode(text, { addSpecialTokens: false }),
      totalBytes: bytes,
      tokenizerHash,
      sources: corpus.manifest.sources,
      seed: recipe.seed,
      ...(end === undefined ? {} : { endOfText: end }),
      signal: io.signal,
      onProgress: (progress) => showProgress(io, progress),
    });
    io.note(`Encoded ${side === 'train' ? 'training' : 'held-out'} text: ${compact(manifest.tokens)} tokens, ${(bytes / Math.max(1, manifest.tokens)).toFixed(2)} bytes a token.`);
  }
}
