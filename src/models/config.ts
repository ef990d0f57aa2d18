// Configurations of models: out of a config.json, which may hold more than is used here, and out of a recipe, which may
// not. Layer: models.

import { closest, distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { ConfigError, FormatError } from '../base/errors.ts';
import type { Family, ModelConfig } from './family.ts';
import { createModel, type Model } from './model.ts';
import { PRESETS } from './presets.ts';
import { FAMILIES, TEXT_PARTS } from './registry.ts';

/** What a config.json says. */
export interface ParsedConfig {
  readonly family: Family;
  readonly config: ModelConfig;
  /** Fields that are not used here (special token ids, versions), to be written again when the model is saved. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/**
 * Reads a parsed config.json.
 *
 * @param file its path, for messages
 * @throws {FormatError} naming the field, if this is no configuration of a known family or cannot be built
 */
export function parseConfig(value: unknown, file: string): ParsedConfig {
  const refuse: Refuse = (_key, why) => new FormatError(`Cannot read "${file}": ${why}.`, { path: file });
  const raw = textPart(asRecord(value, '', refuse), refuse), family = familyOf(raw.model_type, refuse);
  const upgraded = family.upgrade?.(raw) ?? raw;
  const config = checked(family, upgraded, refuse);
  const rest = Object.entries(upgraded).filter(([key]) => !Object.hasOwn(family.schema.shape, key) && key !== 'model_type' && key !== '__proto__');
  return { family, config, rest: Object.fromEntries(rest) };
}

/** What a recipe's model section is completed with. */
export interface ModelSectionOptions {
  /** The tokenizer's: the default of `vocab_size`, and what it must reach. */
  readonly vocabSize?: number;
  /** Dotted path of the section, for messages. */
  readonly path?: string;
}

/**
 * The model of a recipe's section: a preset's name, or `{ preset, … }`, or `{ model_type, … }` with fields as in
 * config.json.
 *
 * @throws {ConfigError} with the path of the field: an unknown one (naming the nearest known), a wrong type, numbers
 *   that do not fit each other, a vocabulary smaller than the tokenizer's
 *
 * @example
 * modelOfSection({ preset: 'quickstart', num_hidden_layers: 4 }, { vocabSize: 4096 });
 */
export function modelOfSection(section: unknown, { vocabSize, path = 'model' }: ModelSectionOptions = {}): Model {
  const refuse: Refuse = (key, why) => new ConfigError(`Cannot use the recipe's "${path}": ${why}.`, { path: key === '' ? path : `${path}.${key}` });
  const { preset: name, ...own } = typeof section === 'string' ? { preset: section } as Record<string, unknown> : asRecord(section, '', refuse);
  const preset = name === undefined ? {} : presetOf(name, refuse), raw: Record<string, unknown> = { ...preset, ...own };
  if (name === undefined && own.model_type === undefined) throw refuse('model_type', `it needs a preset (${listed(Object.keys(PRESETS))}) or a model_type (${listed(Object.keys(FAMILIES))})`);
  const family = familyOf(raw.model_type, refuse), known = Object.keys(family.schema.shape);
  if (preset.model_type !== undefined && raw.model_type !== preset.model_type) {
    throw refuse('model_type', `the preset ${shown(name)} is a ${shown(preset.model_type)} model, not ${shown(own.model_type)}: leave model_type or the preset out`);
  }
  for (const key of Object.keys(own)) {
    if (key !== 'model_type' && !known.includes(key)) throw refuse(key, `${family.modelType} has no field "${key}"${suggestion(key, [...known, 'preset', 'model_type'])}`);
  }
  if (vocabSize !== undefined) raw.vocab_size ??= vocabSize;
  const config = checked(family, family.upgrade?.(raw) ?? raw, refuse);
  if (vocabSize !== undefined && config.vocab_size < vocabSize) {
    throw refuse('vocab_size', `vocab_size is ${config.vocab_size}, but the tokenizer has ${vocabSize} tokens: raise it, or leave it out`);
  }
  return createModel(family, config);
}

/** `: did you mean "…"?` if a known word is near enough to be meant. */
export function suggestion(word: string, known: readonly string[]): string {
  const nearest = known.length === 0 ? undefined : closest(word, known);
  // A third of the letters: nearer words are slips of the finger, farther ones are other words.
  return nearest !== undefined && distance(word, nearest) <= Math.max(2, Math.floor(word.length / 3)) ? `: did you mean "${nearest}"?` : `; known: ${listed(known)}`;
}

/** The text's fields of a model that takes more; what stands beside them (ids of special tokens) counts where they say nothing. */
function textPart(raw: Record<string, unknown>, refuse: Refuse): Record<string, unknown> {
  const part = typeof raw.model_type === 'string' && Object.hasOwn(TEXT_PARTS, raw.model_type) ? TEXT_PARTS[raw.model_type]! : undefined;
  if (part === undefined) return raw;
  const { text_config: text, architectures: _, ...beside } = raw, own = asRecord(text ?? {}, 'text_config', refuse);
  const others = Object.entries(beside).filter(([key]) => !key.endsWith('_config') && !/image|boi_token|eoi_token|mm_tokens/.test(key));
  return { ...Object.fromEntries(others), ...own, model_type: part };
}

type Refuse = (key: string, why: string) => Error;

const listed = (words: readonly string[]): string => [...words].sort().join(', ');

function asRecord(value: unknown, key: string, refuse: Refuse): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(key, `it should hold fields by name, but is ${shown(value)}`);
  return value as Record<string, unknown>;
}

function familyOf(modelType: unknown, refuse: Refuse): Family {
  if (typeof modelType === 'string' && Object.hasOwn(FAMILIES, modelType)) return FAMILIES[modelType]!;
  const state = modelType === undefined ? 'model_type is missing' : `model_type ${shown(modelType)} is not supported`;
  throw refuse('model_type', `${state}; supported: ${listed([...Object.keys(FAMILIES), ...Object.keys(TEXT_PARTS)])}`);
}

function presetOf(name: unknown, refuse: Refuse): Readonly<Record<string, unknown>> {
  if (typeof name === 'string' && Object.hasOwn(PRESETS, name)) return PRESETS[name]!;
  throw refuse('preset', `there is no preset ${shown(name)}${typeof name === 'string' ? suggestion(name, Object.keys(PRESETS)) : ''}`);
}

function checked(family: Family, raw: Readonly<Record<string, unknown>>, refuse: Refuse): ModelConfig {
  const result = family.schema.safeParse(raw);
  if (!result.success) {
    const [issue] = result.error.issues, key = issue!.path.join('.');
    throw refuse(key, sentence(issue!, key, valueAt(raw, issue!.path)));
  }
  const impossible = family.check(result.data);
  if (impossible !== undefined) throw refuse(impossible.key, impossible.why);
  return result.data;
}

function sentence(issue: z.core.$ZodIssue, key: string, value: unknown): string {
  if (value === undefined) return `${key} is missing`;
  if (issue.code === 'invalid_value') return `${key} is ${shown(value)}, which is not supported; supported: ${issue.values.map(shown).join(', ')}`;
  return `${key} is ${shown(value)}: ${issue.message.replace(/^Invalid input: /, '')}`;
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined), raw);
}

/** A value in a message, cut short. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
