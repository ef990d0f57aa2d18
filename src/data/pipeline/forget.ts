// Which documents a pattern means, and their removal from working files. Layer: data (file access).

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../base/errors.ts';
import type { Document } from '../document.ts';
import { partPaths, readLines, type PartHead } from './part-file.ts';

/** What is looked at of a document: its id, the file it is from, its address, its author. */
export type Forgettable = Pick<Document, 'id' | 'origin' | 'meta'>;

/**
 * A test of documents against patterns: a part of the id, file, address or author, or a regular expression between slashes.
 *
 * @returns the pattern that met, or undefined
 * @throws {ConfigError} for a regular expression that is none
 */
export function forgetTest(patterns: readonly string[]): (document: Forgettable) => string | undefined {
  const tests = patterns.map((pattern) => {
    const expression = /^\/(.+)\/([iu]*)$/.exec(pattern);
    if (expression === null) return { pattern, test: (text: string) => text.includes(pattern) };
    try {
      const compiled = new RegExp(expression[1]!, expression[2]);
      return { pattern, test: (text: string) => compiled.test(text) };
    } catch (cause) {
      throw new ConfigError(`Cannot use the pattern ${pattern}: ${(cause as Error).message}.`, { path: 'data.forget', cause });
    }
  });
  return ({ id, origin, meta }) => {
    const texts = [id, origin?.file, meta?.['url'], meta?.['author']].filter((text) => typeof text === 'string');
    return tests.find(({ test }) => texts.some(test))?.pattern;
  };
}

/** Removes parts that hold such a document: a later build reads their units again, and leaves it out. */
export function purgeParts(work: string, patterns: readonly string[]): void {
  const test = forgetTest(patterns), dir = join(work, 'parts');
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.part'))) {
    const paths = partPaths(dir, name.slice(0, -'.part'.length));
    if (holds(paths.data, test)) { for (const path of [paths.manifest, paths.data, paths.offsets, paths.drops]) rmSync(path, { force: true }); }
  }
}

function holds(path: string, test: ReturnType<typeof forgetTest>): boolean {
  for (const { head } of readLines(path)) if (test(JSON.parse(head.toString()) as PartHead) !== undefined) return true;
  return false;
}
