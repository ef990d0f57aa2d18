// What decides the numbers of a run, so that a run is never resumed as another one. Layer: train.

import { ConfigError } from '../base/errors.ts';
import { opTableHash, PROGRAM_VERSION } from '../core/index.ts';
import type { Sampling, TokenShards } from '../data/index.ts';
import type { Model } from '../models/index.ts';
import { canonical } from './checksums.ts';
import type { TrainConfig } from './config.ts';

/** Recipe keys and hashes whose change would change a loss. */
export type RunIdentity = Record<string, unknown>;

export interface IdentityOptions {
  readonly seed: number;
  readonly sampling: Sampling;
  readonly model: Model;
  readonly config: TrainConfig;
  readonly shards: TokenShards;
}

/** Checkpoints, samples and validation cost time and change no weight: a run may be resumed with others. */
export function identityOf({ seed, sampling, model, config, shards }: IdentityOptions): RunIdentity {
  const { checkpoint: _c, samples: _s, validation: _v, ...train } = config;
  const identity = {
    seed,
    data: { sampling, contentHash: shards.manifest.contentHash },
    model: { model_type: model.family.modelType, ...model.config },
    train,
  };
  return JSON.parse(canonical(identity)) as RunIdentity;
}

/** Versions that made a checkpoint: for people who compare runs, not checked. */
export function versionsOf(code: string): Record<string, string> {
  return { athanor: code, node: process.version, program: String(PROGRAM_VERSION), operators: opTableHash().toString(16), platform: `${process.platform}-${process.arch}` };
}

/** @throws {ConfigError} naming the first key that differs, with both values */
export function checkIdentity(dir: string, before: RunIdentity, now: RunIdentity): void {
  const path = firstDifference(before, now, []);
  if (path === undefined) return;
  const show = (identity: RunIdentity): string => JSON.stringify(path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], identity)) ?? 'unset';
  throw new ConfigError(`Cannot resume the run in "${dir}": ${path.join('.')} was ${show(before)} and is now ${show(now)}. Give it the same value, or start a new run in another folder.`, { path: path.join('.') });
}

function firstDifference(a: unknown, b: unknown, path: readonly string[]): readonly string[] | undefined {
  if (canonical(a) === canonical(b)) return undefined;
  const record = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);
  if (!record(a) || !record(b)) return path;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(a[key], b[key], [...path, key]);
    if (found !== undefined) return found;
  }
  return path;
}
