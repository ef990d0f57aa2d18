// What a model folder or GGUF file says of itself, whether or not it can be run here. Layer: cli.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { parseJson } from '../base/checked-json.ts';
import { AthanorError } from '../base/errors.ts';
import { CONFIG_FILE, isGguf, openWeightFiles, parseGguf, ReadableFile, readText, type GgufValue } from '../models/index.ts';
import { loadChatTemplates, loadTokenizer, TOKENIZER_FILE, type Tokenizer } from '../tokenizer/index.ts';

/** Everything that is known; what is not is null. */
export interface ModelFacts {
  readonly format: 'safetensors' | 'gguf';
  /** `model_type` of config.json, or a GGUF's architecture. */
  readonly family: string | null;
  readonly parameters: number | null;
  /** Bytes of the weights' files. */
  readonly fileBytes: number;
  readonly files: number;
  /** Parameters by the type that they are stored in. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly context: number | null;
  readonly tokenizer: { readonly vocabSize: number | null; readonly problem: string | null } | null;
  /** Names of the chat templates; null if there are none. */
  readonly chatTemplates: readonly string[] | null;
  readonly licence: string | null;
  /** Files that could not be read, and why. */
  readonly problems: readonly string[];
}

/** Reads what a path says of itself. @param path a model folder or a GGUF file */
export function readFacts(path: string): ModelFacts {
  return isGguf(path) ? ggufFacts(path) : folderFacts(path);
}

/** Runs what may fail, and keeps why it did. */
function attempt<T>(problems: string[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AthanorError)) throw error;
    if (!problems.includes(error.message)) problems.push(error.message);
    return undefined;
  }
}

/** Names of the context length in config.json, by age. */
const CONTEXT_FIELDS = ['max_position_embeddings', 'n_positions', 'max_sequence_length', 'seq_length', 'n_ctx'];

function folderFacts(folder: string): ModelFacts {
  const problems: string[] = [], configPath = join(folder, CONFIG_FILE);
  const text = attempt(problems, () => readText(folder, CONFIG_FILE)), config = text === undefined ? {} : attempt(problems, () => parseJson(text, configPath).object()) ?? {};
  const inner = config['text_config'], fields = typeof inner === 'object' && inner !== null ? { ...config, ...inner } as Record<string, unknown> : config;
  const weights = attempt(problems, () => {
    const files = openWeightFiles(folder);
    files.forEach((file) => file.close());
    return files;
  }) ?? [];
  const templates = attempt(problems, () => loadChatTemplates(folder));
  return {
    format: 'safetensors',
    family: typeof config['model_type'] === 'string' ? config['model_type'] : null,
    ...countsOf(weights.flatMap(({ tensors }) => [...tensors.values()])),
    fileBytes: weights.reduce((sum, { path }) => sum + statSync(path).size, 0),
    files: weights.length,
    context: CONTEXT_FIELDS.map((name) => fields[name]).find((value): value is number => typeof value === 'number') ?? null,
    tokenizer: folderTokenizer(folder),
    chatTemplates: templates === undefined ? null : [...templates.templates.keys()],
    licence: licenceOf(config['license']) ?? readmeLicence(folder),
    problems,
  };
}

function countsOf(tensors: readonly { readonly dtype: string; readonly shape: readonly number[] }[]): Pick<ModelFacts, 'parameters' | 'dtypes'> {
  const dtypes: Record<string, number> = {};
  for (const { dtype, shape } of tensors) dtypes[dtype.toLowerCase()] = (dtypes[dtype.toLowerCase()] ?? 0) + shape.reduce((product, dim) => product * dim, 1);
  return { parameters: tensors.length === 0 ? null : Object.values(dtypes).reduce((a, b) => a + b, 0), dtypes };
}

function folderTokenizer(folder: string): ModelFacts['tokenizer'] {
  if (existsSync(join(folder, TOKENIZER_FILE))) return tokenizerFacts(() => loadTokenizer(folder));
  const other = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder).find((name) => /^(tokenizer\.model|.*\.tiktoken|vocab\.json|spiece\.model)$/.test(name)) : undefined;
  return other === undefined ? null : { vocabSize: null, problem: `there is "${other}" and no ${TOKENIZER_FILE}` };
}

function tokenizerFacts(load: () => Tokenizer): ModelFacts['tokenizer'] {
  try {
    return { vocabSize: load().vocabSize, problem: null };
  } catch (error) {
    if (!(error instanceof AthanorError)) throw error;
    return { vocabSize: null, problem: error.message };
  }
}

function licenceOf(value: unknown): string | null {
  const words = (Array.isArray(value) ? value : [value]).filter((word) => typeof word === 'string' && word !== '');
  return words.length === 0 ? null : words.join(', ').slice(0, 200);
}

/** The front matter of a model card is small; a README may be anything. */
const MAX_CARD_BYTES = 2 ** 20;

/** `license` in the YAML between the two lines of dashes that a model card begins with. */
function readmeLicence(folder: string): string | null {
  const path = join(folder, 'README.md'), there = statSync(path, { throwIfNoEntry: false });
  if (there?.isFile() !== true || there.size > MAX_CARD_BYTES) return null;
  const matter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(readFileSync(path, 'utf8'))?.[1];
  if (matter === undefined) return null;
  try {
    const card = parseYaml(matter, { maxAliasCount: 0 }) as Record<string, unknown> | null;
    const licence = licenceOf(card?.['license']), name = licenceOf(card?.['license_name']);
    return licence === 'other' && name !== null ? `other (${name})` : licence;
  } catch {
    return null; // a card that is no YAML says nothing
  }
}

function ggufFacts(path: string): ModelFacts {
  const problems: string[] = [], none = new Map<string, GgufValue>(), file = attempt(problems, () => new ReadableFile(path));
  const header = file === undefined ? undefined : attempt(problems, () => parseGguf(file));
  file?.close();
  const metadata = header?.metadata ?? none, text = (key: string): string | null => {
    const value = metadata.get(key);
    return typeof value === 'string' ? value : null;
  };
  const family = text('general.architecture'), context = metadata.get(`${family}.context_length`), tokens = metadata.get('tokenizer.ggml.tokens');
  const named = [...metadata.keys()].flatMap((key) => /^tokenizer\.chat_template(?:\.(.+))?$/.exec(key)?.slice(0, 2) ?? []).filter((_, i) => i % 2 === 1);
  return {
    format: 'gguf',
    family,
    ...countsOf([...header?.tensors.values() ?? []].map(({ type, shape }) => ({ dtype: type, shape }))),
    fileBytes: file?.size ?? 0,
    files: 1,
    context: typeof context === 'number' ? context : null,
    tokenizer: Array.isArray(tokens) ? { vocabSize: tokens.length, problem: null } : null,
    chatTemplates: named.length === 0 ? null : named.map((name) => name ?? 'default'),
    licence: text('general.license'),
    problems,
  };
}
