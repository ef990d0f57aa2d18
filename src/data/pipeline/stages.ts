// The kinds of stages that a recipe can name, each loaded when it is first used; a name that is a file is a stage of the
// user's own, which runs with the user's rights. Layer: data (file access).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { storageError } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { editStage, ruleStage, type Edit, type Rule, type StageKind } from '../stage.ts';
import { checkOptions } from './options.ts';
import { fingerprint, type StageSpec } from './spec.ts';
import { loadUserStage } from './user-stage.ts';

const STAGES: Readonly<Record<string, () => Promise<StageKind>>> = {
  'basic-filters': async () => (await import('./basic-filters.ts')).basicFilters as StageKind,
  language: async () => ruleStage((await import('../clean/language-filter.ts')).languageFilter as Rule<unknown>),
  'identify-language': async () => editStage((await import('../clean/identify-language.ts')).identifyLanguageEdit as Edit<unknown>),
  normalise: async () => editStage((await import('../clean/normalise.ts')).normalise as Edit<unknown>),
  'personal-data': async () => editStage((await import('../clean/pii.ts')).personalData as Edit<unknown>),
  'gopher-quality': async () => ruleStage((await import('../clean/gopher-quality.ts')).gopherQuality as Rule<unknown>),
  'gopher-repetition': async () => ruleStage((await import('../clean/gopher-repetition.ts')).gopherRepetition as Rule<unknown>),
  'c4-quality': async () => editStage((await import('../clean/c4-quality.ts')).c4Quality as Edit<unknown>),
  'fineweb-quality': async () => ruleStage((await import('../clean/fineweb-quality.ts')).finewebQuality as Rule<unknown>),
  'repeated-lines': async () => editStage((await import('../clean/repeated-parts.ts')).repeatedLines as Edit<unknown>),
  'repeated-paragraphs': async () => editStage((await import('../clean/repeated-parts.ts')).repeatedParagraphs as Edit<unknown>),
  toxicity: async () => ruleStage((await import('../clean/toxicity.ts')).toxicity as Rule<unknown>),
  adult: async () => ruleStage((await import('../clean/toxicity.ts')).adult as Rule<unknown>),
  'quality-classifier': async () => ruleStage((await import('../clean/quality-classifier.ts')).qualityClassifier as Rule<unknown>),
  licence: async () => ruleStage((await import('../clean/licence-filter.ts')).licenceFilter as Rule<unknown>),
  length: async () => ruleStage((await import('../clean/length-filter.ts')).lengthFilter as Rule<unknown>),
  exact: async () => (await import('../dedup/exact.ts')).exactStage as StageKind,
  decontaminate: async () => (await import('./decontaminate.ts')).decontaminate as StageKind,
  near: async () => (await import('../dedup/near.ts')).nearStage as StageKind,
};

/** A stage that is ready to start. */
export type OpenStage = {
  readonly kind: StageKind;
  readonly options: unknown;
  /** Of kind, options and, for a user's stage, its source text: what a result depends on. */
  readonly print: string;
};

/** Names of all kinds. */
export function stageKinds(): string[] {
  return Object.keys(STAGES);
}

/** Whether a stage is named by its file. */
export function isStageFile(kind: string): boolean {
  return /[\\/]|\.(ts|mts|js|mjs)$/.test(kind);
}

/** @throws {ConfigError} for an unknown kind, a file that is no stage, or options that it does not have */
export async function openStage(spec: StageSpec): Promise<OpenStage> {
  const load = Object.hasOwn(STAGES, spec.kind) ? STAGES[spec.kind] : undefined;
  if (load === undefined && !isStageFile(spec.kind)) {
    throw new ConfigError(`Unknown stage "${spec.kind}": there are ${stageKinds().join(', ')}, and files of your own such as ./my-stage.ts.`, { path: 'data.stages' });
  }
  const kind = load === undefined ? await loadUserStage(spec.kind) : await load();
  const options = checkOptions(kind.options, spec.options, `the stage "${spec.kind}"`, 'data.stages');
  return { kind, options, print: fingerprint(kind.name, options, (kind.files?.(options) ?? []).map(hashOf), load === undefined ? hashOf(spec.kind) : '') };
}

function hashOf(file: string): string {
  try {
    return createHash('sha256').update(readFileSync(resolve(file))).digest('hex');
  } catch (cause) {
    throw storageError('read', file, cause);
  }
}
