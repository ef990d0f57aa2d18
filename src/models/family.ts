// What a model family is: one file that says how its config.json reads, how its graph is built and how its checkpoints
// name the weights. Everything else (training, decoding, loading, counting) is derived. Layer: models.

import { z } from 'zod';
import type { Context, Traced } from '../nn/index.ts';

/** A size in a configuration; the bound is that of the program format's shapes. */
export const COUNT = z.int().positive().max(2 ** 31 - 1);

/** Layers of a model; more are a slip, and would be traced for minutes before anything complains. */
export const LAYERS = z.int().positive().max(4096);

/** Fields that every family's configuration has, named as in config.json. */
export interface ModelConfig {
  readonly vocab_size: number;
  readonly tie_word_embeddings: boolean;
}

/** A configuration in the words of this repository, whatever the family calls them. */
export interface ModelDims {
  readonly nLayers: number;
  readonly nEmbd: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headSize: number;
  readonly vocabSize: number;
  /** Positions that the model can tell apart. */
  readonly maxPositions: number;
  /** Experts of each layer that has some, and how many of them a token uses. */
  readonly experts?: { readonly all: number; readonly used: number };
}

/** Where a State lies in a checkpoint; `transposed` says that the file holds [in, out] where the State is [out, in]. */
export interface StoredName {
  readonly name: string;
  readonly transposed: boolean;
}

/** A configuration that cannot be built: which field, and why. */
export interface Impossible {
  readonly key: string;
  readonly why: string;
}

export interface Family<C extends ModelConfig = ModelConfig> {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** The fields that are used; a field that cannot be honoured is a literal of the one value that can. */
  readonly schema: z.ZodType<C> & { readonly shape: Readonly<Record<string, unknown>> };
  /** A model of some thousand parameters that shows every feature, for tests. */
  readonly tiny: C;
  /** Fields of config.json that say nothing new here but that other readers want (or whose defaults there would not fit). */
  readonly written: Readonly<Record<string, unknown>>;
  /** Fields that transformers 5 takes only with a decimal point: it refuses 30 where it wants 30.0. */
  readonly reals?: readonly string[];
  /** State names to checkpoint names, `*` standing for a number in both: first the layer's, then an expert's. */
  readonly weights: Readonly<Record<string, string | StoredName>>;
  /** What the checkpoint's names begin with, and some older files leave out. */
  readonly prefix: string;
  /** The name in `weights` of what some files call otherwise; other names as they are. */
  storedName?(name: string): string;
  /** Tensors of a checkpoint that are not used: they hold nothing learned (masks, rotary frequencies), or not of text. */
  readonly ignored: RegExp;
  /** Rewrites older and newer spellings of config.json into this schema's. */
  upgrade?(raw: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Numbers that do not fit each other. */
  check(config: C): Impossible | undefined;
  dims(config: C): ModelDims;
  /** The configuration whose tensors a checkpoint holds; those that `config` lacks are zero there. */
  stored?(config: C): C;
  build(ctx: Context, config: C): Traced;
}

/** A config.json's text, with a decimal point wherever the family's readers want one. */
export function configText({ reals = [] }: Pick<Family, 'reals'>, fields: Readonly<Record<string, unknown>>): string {
  // One field a line, those of the object itself behind two spaces; a text's own line breaks are escaped.
  return `${JSON.stringify(fields, null, 2).replace(/^ {2}"(\w+)": (-?\d+)(?=,?$)/gm, (line, key: string) => (reals.includes(key) ? `${line}.0` : line))}\n`;
}

/** A weight that the checkpoint keeps as [in, out]. */
export function transposed(name: string): StoredName {
  return { name, transposed: true };
}

/** Where the State `id` lies in a checkpoint, or undefined if the family has no such State. */
export function weightName(family: Pick<Family, 'weights'>, id: string): StoredName | undefined {
  return swapped(Object.entries(family.weights).map(([ours, stored]) => [ours, asStored(stored)] as const), id);
}

/** The State that lies in a checkpoint under `name`: the reverse of `weightName`. */
export function stateName(family: Pick<Family, 'weights'>, name: string): string | undefined {
  return swapped(Object.entries(family.weights).map(([ours, stored]) => [asStored(stored).name, { name: ours, transposed: false }] as const), name)?.name;
}

const asStored = (stored: string | StoredName): StoredName => (typeof stored === 'string' ? { name: stored, transposed: false } : stored);

/** Finds the pattern that fits and puts the numbers into the other one. */
function swapped(table: readonly (readonly [string, StoredName])[], name: string): StoredName | undefined {
  for (const [pattern, other] of table) {
    const numbers = numbersIn(pattern, name);
    if (numbers === undefined) continue;
    let next = 0;
    return { ...other, name: other.name.replace(/\*/g, () => numbers[next++]!) };
  }
  return undefined;
}

/** What stands for each `*` of a pattern in a name, or undefined if the name does not fit. */
function numbersIn(pattern: string, name: string): string[] | undefined {
  const [head, ...parts] = pattern.split('*') as [string, ...string[]], numbers: string[] = [];
  if (!name.startsWith(head)) return undefined;
  let rest = name.slice(head.length);
  for (const part of parts) {
    const number = /^(?:0|[1-9][0-9]*)/.exec(rest)?.[0];
    if (number === undefined || !rest.startsWith(part, number.length)) return undefined;
    numbers.push(number);
    rest = rest.slice(number.length + part.length);
  }
  return rest === '' ? numbers : undefined;
}

/** Whether `a` is a multiple of `b`, and if not, the sentence that says so. */
export function mustDivide(key: string, a: number, byKey: string, b: number): Impossible | undefined {
  return a % b === 0 ? undefined : { key, why: `${key} ${a} must be a multiple of ${byKey} ${b}` };
}

/** Whether `a` is at most `b`, and if not, the sentence that says so. */
export function atMost(key: string, a: number, byKey: string, b: number): Impossible | undefined {
  return a <= b ? undefined : { key, why: `${key} ${a} must be at most ${byKey} ${b}` };
}
