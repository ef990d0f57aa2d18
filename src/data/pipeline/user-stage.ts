// A user's own stage: a JavaScript or TypeScript file whose default export (or export `stage`) is a StageKind, a Rule or an
// Edit. Layer: data (file access). It is code and runs with the rights of whoever builds the corpus: use files you trust.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type TypeScript from 'typescript';
import { z } from 'zod';
import { ConfigError } from '../../base/errors.ts';
import { editStage, ruleStage, type Edit, type Rule, type StageKind } from '../stage.ts';

type Loaded = { default?: unknown; stage?: unknown };

/** @throws {ConfigError} if the file cannot be loaded, or exports no stage */
export async function loadUserStage(file: string): Promise<StageKind> {
  const path = resolve(file);
  let loaded: Loaded;
  try {
    loaded = await load(path);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`Cannot load the stage "${file}": ${(cause as Error).message}.`, { path: 'data.stages', cause });
  }
  const found = (loaded.stage ?? loaded.default) as Partial<StageKind & Rule<unknown> & Edit<unknown>> | undefined;
  if (typeof found?.name !== 'string') throw new ConfigError(`Cannot use the stage "${file}": it exports no stage (an object with name, about and judge, edit or start, as its default export).`, { path: 'data.stages' });
  const whole = { ...found, about: found.about ?? '', options: found.options ?? z.looseObject({}) };
  if (typeof found.judge === 'function') return ruleStage(whole as Rule<unknown>);
  if (typeof found.edit === 'function') return editStage(whole as Edit<unknown>);
  if (typeof found.start === 'function') return { scope: 'document', ...whole } as StageKind;
  throw new ConfigError(`Cannot use the stage "${file}": it has neither judge, nor edit, nor start.`, { path: 'data.stages' });
}

async function load(path: string): Promise<Loaded> {
  const strips = Boolean((process.features as { typescript?: unknown }).typescript);
  if (!/\.m?ts$/.test(path) || strips) return await import(pathToFileURL(path).href) as Loaded;
  const text = await stripTypes(readFileSync(path, 'utf8'), path);
  // Beside the original, so that its own imports are found as it names them.
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}.mjs`);
  try {
    writeFileSync(beside, text);
    return await import(pathToFileURL(beside).href) as Loaded;
  } finally {
    rmSync(beside, { force: true });
  }
}

/** Node.js before 22.18 reads no TypeScript: the compiler does it where it is installed. */
async function stripTypes(text: string, path: string): Promise<string> {
  try {
    const name = 'typescript', { default: ts } = await import(name) as { default: typeof TypeScript };
    return ts.transpileModule(text, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true } }).outputText;
  } catch (cause) {
    throw new ConfigError(`Cannot load the stage "${path}": this Node.js (${process.version}) does not read TypeScript, and the package "typescript" is not installed. Use Node.js 22.18 or later, install it, or write the stage as .mjs.`, { path: 'data.stages', cause });
  }
}
