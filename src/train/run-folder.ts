// The folder of a run: what it was asked, what it measured, what it made. Layer: train (file access).
//   recipe.yaml       the resolved recipe          metrics.jsonl   one line a step
//   manifest.json     hashes of data, tokenizer, code and parents, and the sessions that worked here
//   checkpoints/      see checkpoint.ts            samples/        texts by step
//   model/            the finished model

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeFolder, writeDurable } from '../base/durable.ts';
import { ConfigError } from '../base/errors.ts';
import { listCheckpoints, recoverCheckpoints, saveModelFiles, type CheckpointSource } from './checkpoint.ts';
import { readJson, writeManifest } from './checksums.ts';
import { recoverFolders, writeFolder } from './durable-folder.ts';

const FORMAT = 1;

/** Paths of a run's files, and the writing of those that are small. The folder must be locked. */
export class RunFolder {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  get metrics(): string {
    return join(this.dir, 'metrics.jsonl');
  }
  get checkpoints(): string {
    return join(this.dir, 'checkpoints');
  }
  get model(): string {
    return join(this.dir, 'model');
  }
  get manifest(): string {
    return join(this.dir, 'manifest.json');
  }

  /**
   * Makes the folder ready: clears away what a killed run left.
   *
   * @throws {ConfigError} if there is a run already, and it is not to be resumed
   */
  open(resume: boolean): void {
    makeFolder(this.dir);
    recoverCheckpoints(this.checkpoints);
    recoverFolders(this.dir, (name) => name === 'model');
    const begun = listCheckpoints(this.checkpoints).length > 0 || (existsSync(this.metrics) && readFileSync(this.metrics).length > 0);
    if (begun && !resume) {
      throw new ConfigError(`Cannot start a run in "${this.dir}": there is one already. Resume it (--resume), or choose another folder.`, { path: 'dir' });
    }
  }

  /** The recipe, as YAML. */
  writeRecipe(recipe: unknown): void {
    writeDurable(join(this.dir, 'recipe.yaml'), stringify(recipe));
  }

  /** What made this run, and one entry for this session. */
  writeSession(fields: Readonly<Record<string, unknown>>, session: Readonly<Record<string, unknown>>): void {
    const before = existsSync(this.manifest) ? readJson(this.manifest).sessions : undefined;
    const sessions = [...(Array.isArray(before) ? before as unknown[] : []), session];
    writeDurable(this.manifest, `${JSON.stringify({ format: FORMAT, ...fields, sessions }, null, 2)}\n`);
  }

  writeSample(step: number, text: string): string {
    const folder = join(this.dir, 'samples'), path = join(folder, `step-${String(step).padStart(6, '0')}.txt`);
    makeFolder(folder);
    writeDurable(path, text);
    return path;
  }

  /** The finished model, with a manifest of its own. */
  writeModel(source: Omit<CheckpointSource, 'state'>, fields: Readonly<Record<string, unknown>>): void {
    writeFolder(this.model, (draft) => {
      saveModelFiles(draft, source);
      writeManifest(draft, 'athanor.json', fields);
    });
  }
}
