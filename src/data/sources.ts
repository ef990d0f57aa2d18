// The files of a corpus, and how much of each is taken. Layer: data (file access).

import { basename, resolve } from 'node:path';
import { ConfigError } from '../base/errors.ts';
import { groupOf } from './document.ts';
import { recordDrop, type CorpusReport } from './report.ts';
import { walk, type WalkOptions } from './walk.ts';
import { Pacer, type WorkOptions } from './work.ts';

/** A file to read. */
export type SourceFile = {
  /** Where to open it. */
  absolute: string;
  /** Source and path below it: names the file in the corpus. */
  path: string;
  bytes: number;
  /** How many bytes from its beginning are read. */
  take: number;
};

/** Upper bounds in bytes of files; undefined is no bound. */
export type Caps = {
  /** Larger files are cut. */
  fileBytes?: number | undefined;
  /** From a package or folder, its smallest files first, so that one bundle does not displace a hundred sources. */
  groupBytes?: number | undefined;
  /** Of all: a bound for groups is chosen so that small groups stay whole. */
  totalBytes?: number | undefined;
};

/**
 * Lists the files of all sources, in order.
 *
 * @param sources folders and files; each gives its name to the paths of its files
 * @throws {StorageError} if a source is missing or unreadable
 * @throws {ConfigError} if there is no source, or one is given twice
 */
export async function listFiles(
  sources: readonly string[],
  report: CorpusReport,
  options: WalkOptions & WorkOptions = {},
): Promise<SourceFile[]> {
  if (sources.length === 0) throw new ConfigError('Cannot build a corpus: no folder or file is given.', { path: 'data.path' });
  const files: SourceFile[] = [], names = new Map<string, string>(), pacer = new Pacer('walk', 'files', undefined, options);
  let bytes = 0;
  for (const source of sources) {
    const name = sourceName(resolve(source), names);
    const onSkip: WalkOptions['onSkip'] = (relative, reason) => {
      recordDrop(report.files.skipped, reason, { path: `${name}/${relative}`, bytes: 0 });
      options.onSkip?.(relative, reason);
    };
    for (const file of walk(source, { ...options, onSkip })) {
      const path = file.path === source ? name : `${name}/${file.relative}`;
      files.push({ absolute: resolve(file.path), path, bytes: file.bytes, take: file.bytes });
      bytes += file.bytes;
      await pacer.step(files.length, bytes);
    }
  }
  report.files.found = files.length;
  pacer.report(files.length, bytes);
  return files;
}

/** The last name of a source; a number tells apart two of the same name. */
function sourceName(absolute: string, names: Map<string, string>): string {
  const base = basename(absolute) || 'root';
  let name = base;
  for (let i = 2; names.has(name); i++) {
    if (names.get(name) === absolute) throw new ConfigError(`Cannot read "${absolute}" twice: it is given as two sources.`, { path: 'data.path' });
    name = `${base}-${i}`;
  }
  names.set(name, absolute);
  return name;
}

/**
 * Applies the caps. The order of the files is kept; what is left out is reported as `cap`.
 *
 * @returns files of which at least one byte is taken
 */
export function capFiles(files: readonly SourceFile[], caps: Caps, report: CorpusReport): SourceFile[] {
  const { fileBytes = Infinity, groupBytes = Infinity, totalBytes = Infinity } = caps;
  const groups = new Map<string, SourceFile[]>();
  for (const file of files) {
    const group = groupOf(file.absolute, file.path), capped = { ...file, take: Math.min(file.take, fileBytes) };
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [capped]);
    else members.push(capped);
  }
  const sizes = [...groups.values()].map((members) => Math.min(groupBytes, members.reduce((sum, file) => sum + file.take, 0)));
  const bound = Math.min(groupBytes, levelFor(sizes, totalBytes));
  const take = new Map<string, number>();
  for (const members of groups.values()) {
    let left = bound;
    for (const file of [...members].sort((a, b) => a.bytes - b.bytes || (a.path < b.path ? -1 : 1))) {
      const part = Math.min(file.take, left);
      take.set(file.path, part);
      left -= part;
    }
  }
  return files.map((file) => ({ ...file, take: take.get(file.path)! })).filter((file) => {
    if (file.take < file.bytes) {
      recordDrop(report.files.skipped, file.take === 0 ? 'cap' : 'cap-cut', { path: file.path, bytes: file.bytes - file.take });
    }
    return file.take > 0 || file.bytes === 0;
  });
}

/** The level at which the sizes, cut there, sum up to `total` (water-filling). */
function levelFor(sizes: readonly number[], total: number): number {
  const sorted = [...sizes].sort((a, b) => a - b);
  let left = total;
  for (const [i, size] of sorted.entries()) {
    const share = left / (sorted.length - i);
    if (size > share) return Math.floor(share);
    left -= size;
  }
  return Infinity;
}
