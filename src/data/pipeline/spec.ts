// What a recipe says about a pipeline: sources, stages, mix, pack, bounds. Layer: data (pure).

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ConfigError } from '../../base/errors.ts';

const sourceSchema = z.looseObject({
  kind: z.string(),
  name: z.string().regex(/^[\w.-]+$/, 'letters, digits, ".", "_" and "-"').optional(),
  weight: z.number().positive().optional(),
  epochs: z.number().positive().optional(),
});

const mixSchema = z.strictObject({
  temperature: z.number().positive().optional().describe('sources without a weight weigh bytes^(1/temperature)'),
  bytes: z.int().positive().optional().describe('bytes of the whole mix (default: as many as there are)'),
  maxEpochs: z.number().positive().optional().describe('no source is read more often (default 4)'),
});

/** Fields that the `data` section has for a pipeline. None has a default here: older recipes resolve to what they did. */
export const pipelineFields = {
  sources: z.array(sourceSchema).min(1).optional().describe('where documents come from: a list of {kind, name, weight, epochs, and the options of the kind}'),
  stages: z.array(z.union([z.string(), z.looseObject({ kind: z.string() })])).optional().describe('what is done to them, in order: a list of {kind, and its options}, or files of your own stages'),
  mix: mixSchema.optional().describe('how sources are mixed'),
  memory: z.int().min(2 ** 20).optional().describe('bytes of memory that stages over the whole corpus may use (default 1 GiB)'),
  processes: z.int().min(1).max(1024).optional().describe('processes that share the work (default: as many as cores)'),
  forget: z.array(z.string().min(1)).optional().describe('documents that must not be in the corpus: parts of an id, file or address, or /regular expressions/'),
  strict: z.boolean().optional().describe('stop at the first row, file or unit that is damaged, rather than count it'),
};

/** What a mix can say. */
export type MixOptions = z.infer<typeof mixSchema>;

/** A source as a recipe names it. */
export type SourceSpec = { readonly kind: string; readonly name: string; readonly weight?: number; readonly epochs?: number; readonly options: Readonly<Record<string, unknown>> };

/** A stage as a recipe names it: `kind` is a name of the list, or a file (with a `/`, or ending in .ts, .mts, .js or .mjs). */
export type StageSpec = { readonly kind: string; readonly options: Readonly<Record<string, unknown>> };

/** A pipeline, JSON-able: it travels to processes and machines. */
export type PipelineSpec = {
  readonly seed: number;
  readonly sources: readonly SourceSpec[];
  readonly stages: readonly StageSpec[];
  readonly mix?: MixOptions | undefined;
  readonly validationFraction: number;
  readonly split: string;
  readonly memory: number;
  readonly strict: boolean;
  readonly forget: readonly string[];
};

type Section = {
  sources?: readonly Readonly<Record<string, unknown>>[] | undefined;
  stages?: readonly (string | Readonly<Record<string, unknown>>)[] | undefined;
  mix?: MixOptions | undefined;
  memory?: number | undefined;
  strict?: boolean | undefined;
  forget?: readonly string[] | undefined;
  validationFraction: number;
  split: string;
};

/** Stages of a recipe that names none: what the short form does, in the pipeline's words. */
export const DEFAULT_STAGES: readonly StageSpec[] = [{ kind: 'basic-filters', options: {} }, { kind: 'exact', options: {} }, { kind: 'near', options: {} }];

/**
 * The pipeline that a `data` section stands for.
 *
 * @throws {ConfigError} if two sources have one name
 */
export function pipelineSpec(section: Section, seed: number): PipelineSpec {
  const { sources = [], stages, mix, memory = 2 ** 30, strict = false, forget = [], validationFraction, split } = section, names = new Set<string>();
  return {
    seed,
    sources: sources.map(({ kind, name = kind, weight, epochs, ...options }, i) => {
      const own = names.has(String(name)) && name === kind ? `${String(kind)}-${i + 1}` : String(name);
      if (names.has(own)) throw new ConfigError(`Cannot read two sources of the name "${own}": give each a name of its own.`, { path: `data.sources.${i}.name` });
      names.add(own);
      return { kind: String(kind), name: own, options, ...(weight === undefined ? {} : { weight: Number(weight) }), ...(epochs === undefined ? {} : { epochs: Number(epochs) }) };
    }),
    stages: stages?.map((stage) => {
      if (typeof stage === 'string') return { kind: stage, options: {} };
      const { kind, ...options } = stage;
      return { kind: String(kind), options };
    }) ?? DEFAULT_STAGES,
    mix,
    validationFraction,
    split,
    memory,
    strict,
    forget,
  };
}

/** SHA-256 of JSON-able values, shortened to 128 bits. */
export function fingerprint(...values: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 32);
}
