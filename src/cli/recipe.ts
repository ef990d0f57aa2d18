// Recipes: one file that says everything about a run, made of each component's own section. Layer: cli.

import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMap, isScalar, LineCounter, parse, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { storageError } from '../base/durable.ts';
import { ConfigError } from '../base/errors.ts';
import { dataSchema } from '../data/config.ts';
import { SPLIT_PATTERNS } from '../tokenizer/split-pattern.ts';
import { trainSchema } from '../train/config.ts';
import type { Override } from './arguments.ts';
import { didYouMean, nearest } from './nearest.ts';
import { allKeys, textKeys } from './recipe-keys.ts';

/** The text of the special token between documents, as in GPT-2's vocabulary. */
export const END_OF_TEXT = '<|endoftext|>';

/** What a recipe can say about its tokenizer. */
export const tokenizerSchema = z.strictObject({
  path: z.string().optional().describe('a tokenizer.json or model folder to use, instead of training one'),
  kind: z.enum(['bpe', 'chars']).default('bpe').describe('byte-level BPE, or one token for each distinct character'),
  vocabSize: z.int().min(256).max(2 ** 21).default(4096).describe('tokens of a BPE vocabulary'),
  pattern: z.enum(SPLIT_PATTERNS).default('cl100k').describe('how text is cut before pairs are merged'),
  endOfText: z.boolean().default(true).describe('put a token between documents; without it a model never learns to stop'),
});

/** A whole recipe. */
export const recipeSchema = z.strictObject({
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe('decides split, first weights and order of data'),
  data: dataSchema.extend({ dir: z.string().optional().describe('where built data goes, or lies already (default: in the run)') }).prefault({}),
  tokenizer: tokenizerSchema.prefault({}),
  model: z.union([z.string(), z.record(z.string(), z.unknown())]).describe('a preset, or model_type with fields as in config.json, or both'),
  train: trainSchema,
});

export type Recipe = z.infer<typeof recipeSchema>;

/** What data are made of: a recipe that need not say what is trained on them. */
const dataRecipeSchema = recipeSchema.partial({ model: true, train: true });

export type DataRecipe = z.infer<typeof dataRecipeSchema>;

/** Where a recipe came from, so that an error can point into it. */
interface Source {
  readonly file: string;
  readonly value: unknown;
  /** The line of a path, where the file is YAML. */
  readonly lineOf: (path: readonly PropertyKey[]) => number | undefined;
}

/**
 * Reads a recipe, sets what the command line says, and fills in defaults.
 *
 * @param file YAML, or JavaScript or TypeScript with the recipe as its default export
 * @throws {StorageError} if it cannot be read
 * @throws {ConfigError} naming file, line and key, and the nearest key for one that is unknown
 */
export async function loadRecipe(file: string, overrides: readonly Override[] = []): Promise<Recipe> {
  return resolveRecipe(await readSource(file), overrides, recipeSchema);
}

/** The same where model and train may be missing. */
export async function loadDataRecipe(file: string, overrides: readonly Override[] = []): Promise<DataRecipe> {
  return resolveRecipe(await readSource(file), overrides, dataRecipeSchema);
}

/** The same for a recipe that is already in memory. */
export function checkRecipe(value: unknown, overrides: readonly Override[] = [], file = 'the recipe'): Recipe {
  return resolveRecipe({ file, value, lineOf: () => undefined }, overrides, recipeSchema);
}

function resolveRecipe<T>(source: Source, overrides: readonly Override[], schema: z.ZodType<T>): T {
  if (typeof source.value !== 'object' || source.value === null || Array.isArray(source.value)) {
    throw new ConfigError(`Cannot use the recipe "${source.file}": it must hold sections by name (seed, data, tokenizer, model, train).`);
  }
  const value = structuredClone(source.value) as Record<string, unknown>;
  for (const [path, text] of overrides) setPath(value, path.split('.'), parseValue(path, text));
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw explain(result.error.issues[0]!, source, value, new Set(overrides.map(([path]) => path)));
}

async function readSource(file: string): Promise<Source> {
  const ending = extname(file);
  if (['.js', '.mjs', '.ts', '.mts'].includes(ending)) return readModule(file, ending);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw storageError('read the recipe', file, cause);
  }
  const lines = new LineCounter(), document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    throw new ConfigError(`Cannot read the recipe "${file}", line ${line}, column ${col}: ${error.message.split('\n')[0]!.replace(/ at line .*$/, '').replace(/[.:]$/, '')}.`, { cause: error });
  }
  try {
    return { file, value: document.toJS(), lineOf: (path) => lineIn(document, lines, path) };
  } catch (cause) { // references that unfold to too much
    throw new ConfigError(`Cannot read the recipe "${file}": ${(cause as Error).message}.`, { cause });
  }
}

async function readModule(file: string, ending: string): Promise<Source> {
  const strips = 'typescript' in process.features && Boolean((process.features as { typescript?: unknown }).typescript);
  if (ending.endsWith('ts') && !strips) {
    throw new ConfigError(`Cannot load the recipe "${file}": this Node.js (${process.version}) does not read TypeScript. Use Node.js 22.18 or later, or write the recipe as .mjs or .yaml.`);
  }
  try {
    const loaded = await import(pathToFileURL(resolve(file)).href) as { default?: unknown };
    return { file, value: loaded.default, lineOf: () => undefined };
  } catch (cause) {
    throw new ConfigError(`Cannot load the recipe "${file}": ${(cause as Error).message}.`, { cause });
  }
}

/** The line where a path, or the nearest thing above it, stands. */
function lineIn(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents, offset: number | undefined;
  for (const key of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
    if (pair === undefined) break;
    offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
    node = pair.value;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

/** Text where the recipe wants text, else what YAML makes of it. */
function parseValue(path: string, text: string): unknown {
  if (textKeys(recipeSchema).has(path)) return text;
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let here = target;
  for (const [i, key] of path.slice(0, -1).entries()) {
    let next = Object.hasOwn(here, key) ? here[key] : undefined;
    if (i === 0 && key === 'model' && typeof next === 'string') next = { preset: next };
    if (typeof next !== 'object' || next === null || Array.isArray(next)) next = {};
    define(here, key, next);
    here = next as Record<string, unknown>;
  }
  define(here, path.at(-1)!, value);
}

/** Sets an own key, `__proto__` too, so that the schema sees and refuses it. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

/** One sentence for what a schema found. */
function explain(issue: z.core.$ZodIssue, source: Source, value: unknown, given: ReadonlySet<string>): ConfigError {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!, full = [...issue.path, key].join('.');
    const state = `Unknown ${given.has(full) ? `option "--${full}"` : `key "${key}"${path === '' ? '' : ` in "${path}"`}`}${given.has(full) ? '' : place(source, [...issue.path, key])}`;
    return new ConfigError(`${state}${meant(key, issue.path)}`, { path: full });
  }
  const found = issue.path.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined), value);
  const where = given.has(path) ? ' (given as an option)' : place(source, issue.path);
  if (found === undefined) return new ConfigError(`Cannot use the recipe "${source.file}": ${path} is missing. Set it there, or with --${path} VALUE.`, { path });
  const why = issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '');
  return new ConfigError(`Cannot use ${path} ${JSON.stringify(found)}${where}: ${why}.`, { path });
}

function place({ file, lineOf }: Source, path: readonly PropertyKey[]): string {
  const line = lineOf(path);
  return ` (${file}${line === undefined ? '' : `, line ${line}`})`;
}

/** A key of the same section that is near, else one of any section, with its whole path. */
function meant(key: string, path: readonly PropertyKey[]): string {
  const here = didYouMean(key, keysAt(path));
  if (here !== '.') return here;
  const keys = allKeys(recipeSchema), last = nearest(key, keys.map((name) => name.split('.').at(-1)!));
  return last === undefined ? here : `: did you mean "${keys.find((name) => name.split('.').at(-1) === last)!}"?`;
}

/** The keys that a section knows. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = recipeSchema;
  for (const key of [...path, undefined]) {
    while (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) schema = schema.unwrap();
    if (!(schema instanceof z.ZodObject)) return [];
    if (key === undefined) return Object.keys(schema.shape);
    schema = (schema.shape as Record<PropertyKey, unknown>)[key];
  }
  return [];
}
