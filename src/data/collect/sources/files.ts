// The source `files`: folders, files and globs, archives among them. Layer: data (file access).

import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigError, FormatError } from '../../../base/errors.ts';
import type { SourceContext, SourceKind, Unit } from '../../source-kind.ts';
import { DEFAULT_EXCLUDES, walk, type WalkOptions } from '../../walk.ts';
import { throwIfAborted } from '../../work.ts';
import { readFileDocuments } from '../read-file.ts';
import { readFileShape } from '../read-options.ts';

const filesSchema = z.strictObject({
  path: z.union([z.string(), z.array(z.string()).min(1)]).describe('folders, files, or patterns such as crawl/**/*.warc.gz'),
  include: z.array(z.string()).optional().describe('patterns of files to take, as in .gitignore (default: all)'),
  exclude: z.array(z.string()).default([...DEFAULT_EXCLUDES]).describe('patterns to leave out, as in .gitignore'),
  gitignore: z.boolean().default(true).describe('obey .gitignore files on the way'),
  followLinks: z.boolean().default(false).describe('follow symbolic links'),
  ...readFileShape,
});

export type FilesOptions = z.output<typeof filesSchema>;

export const files: SourceKind<FilesOptions> = {
  name: 'files',
  about: 'Folders, files and patterns on this machine: text, tables, pages, documents and archives of them.',
  options: filesSchema,
  async *list(options, context) {
    const roots = typeof options.path === 'string' ? [options.path] : options.path, names = new Set<string>();
    for (const root of roots) {
      const prefix = roots.length === 1 ? '' : `${uniqueName(root, names)}/`;
      for (const unit of unitsBelow(root, prefix, options, context)) {
        throwIfAborted(context.signal, 'walk');
        yield unit;
      }
    }
  },
  async *read(unit, options, context) {
    const absolute = String(unit.place?.['path'] ?? ''), stats = statSync(absolute, { throwIfNoEntry: false }), listed = unit.place?.['mtimeMs'];
    if (stats !== undefined && (stats.size !== unit.bytes || stats.mtimeMs !== listed)) {
      context.count('files.changed');
      const detail = `It had ${unit.bytes} bytes when it was listed and has ${stats.size} now; what is there now is read.`;
      if (options.strict) throw new FormatError(`"${unit.key}" changed: ${detail}`, { path: absolute });
      context.skip({ file: unit.key, bytes: 0 }, 'changed', detail);
    }
    yield* readFileDocuments(absolute, unit.key, options, context);
  },
};

function* unitsBelow(root: string, prefix: string, options: FilesOptions, context: SourceContext): Generator<Unit> {
  const { base, pattern } = splitGlob(root), { include, exclude, gitignore, followLinks } = options;
  const walkOptions: WalkOptions = { exclude, gitignore, followLinks, onSkip: (relative, reason) => context.skip({ file: prefix + relative, bytes: 0 }, reason, '') };
  const wanted = [...(pattern === undefined ? [] : [pattern]), ...(include ?? [])];
  let found = 0;
  for (const { path, relative } of walk(base, wanted.length === 0 ? walkOptions : { ...walkOptions, include: wanted })) {
    const absolute = resolve(path), { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0, mtimeMs: 0 };
    found++;
    yield { key: prefix + relative, bytes: size, place: { path: absolute, mtimeMs } };
  }
  if (found === 0 && pattern !== undefined) throw new ConfigError(`Cannot read "${root}": no file fits the pattern.`, { path: 'path' });
}

/** `data/2024*\/*.txt` is the folder `data` and the pattern `/2024*\/*.txt`; a name that exists is no pattern. */
function splitGlob(path: string): { base: string; pattern?: string } {
  if (!/[*?[]/.test(path) || statSync(path, { throwIfNoEntry: false }) !== undefined) return { base: path };
  const segments = path.split('/'), first = segments.findIndex((segment) => /[*?[]/.test(segment));
  return { base: segments.slice(0, first).join('/') || (path.startsWith('/') ? '/' : '.'), pattern: `/${segments.slice(first).join('/')}` };
}

function uniqueName(root: string, names: Set<string>): string {
  const base = basename(resolve(splitGlob(root).base)) || 'root';
  let name = base;
  for (let i = 2; names.has(name); i++) name = `${base}-${i}`;
  names.add(name);
  return name;
}
