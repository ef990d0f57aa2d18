// Finds the files of a folder in an order that does not depend on the file system. Layer: data (file access).

import { lstatSync, readdirSync, readFileSync, realpathSync, statSync, type Dirent, type Stats } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { storageError } from '../base/durable.ts';
import { IgnoreRules } from './ignore.ts';

/**
 * What is left out unless the caller says otherwise: version control, installed packages, lock files, generated code, and
 * files that often hold secrets (a model can recite what it was trained on).
 */
export const DEFAULT_EXCLUDES: readonly string[] = [
  '.git/',
  '.hg/',
  '.svn/',
  'node_modules/',
  '__pycache__/',
  '.venv/',
  '.DS_Store',
  'package-lock.json',
  'npm-shrinkwrap.json',
  '.package-lock.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'bun.lock',
  'bun.lockb',
  'Cargo.lock',
  'poetry.lock',
  'uv.lock',
  'Pipfile.lock',
  'Gemfile.lock',
  'composer.lock',
  'go.sum',
  'flake.lock',
  '*.min.js',
  '*.min.css',
  '*.map',
  '.env',
  '.env.*',
  '*.pem',
  '*.key',
  'id_rsa',
  'id_ed25519',
  '.npmrc',
  '.netrc',
];

/** A file that was found. */
export type FoundFile = {
  /** Where to open it. */
  path: string;
  /** Path below the source, with `/` between names: the same on every machine. */
  relative: string;
  bytes: number;
};

/** Why something was not walked into or returned. */
export type SkipReason = 'excluded' | 'not-included' | 'symbolic-link' | 'not-a-file' | 'unreadable';

/** How to walk. */
export type WalkOptions = {
  /** Patterns of files to take, as in .gitignore; default all. */
  include?: readonly string[];
  /** Patterns to leave out, as in .gitignore; default {@link DEFAULT_EXCLUDES}. No .gitignore file can take them back. */
  exclude?: readonly string[];
  /** Obey .gitignore files on the way (default true). */
  gitignore?: boolean;
  /** Follow symbolic links, each real folder once (default false: links are skipped). */
  followLinks?: boolean;
  /** Folders that are not entered wherever they are met: where results go must not be read as data. */
  without?: readonly string[];
  onSkip?: (relative: string, reason: SkipReason) => void;
};

type Folder = { path: string; relative: string; rules: { base: string; rules: IgnoreRules }[] };

/**
 * Walks a folder depth first, names in order of their UTF-16 code units; a file is returned as it is.
 *
 * @param root a folder or a file
 * @throws {StorageError} if `root` itself is missing or unreadable; anything below that fails is skipped with `unreadable`
 */
export function* walk(root: string, options: WalkOptions = {}): Generator<FoundFile> {
  let stats: Stats;
  try {
    stats = statSync(root);
    if (stats.isDirectory()) readdirSync(root);
  } catch (cause) {
    throw storageError('read', root, cause);
  }
  if (!stats.isDirectory()) {
    yield { path: root, relative: basename(resolve(root)), bytes: stats.size };
    return;
  }
  const walker = new Walker(options);
  yield* walker.folder({ path: root, relative: '', rules: [] });
}

class Walker {
  readonly #options: WalkOptions;
  readonly #include: IgnoreRules | undefined;
  readonly #exclude: IgnoreRules;
  readonly #without: ReadonlySet<string>;
  /** Real paths of the folders on the way down or done, only where links are followed: a loop ends here. */
  readonly #visited = new Set<string>();

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#exclude = new IgnoreRules(options.exclude ?? DEFAULT_EXCLUDES);
    this.#without = new Set((options.without ?? []).map(identity));
    this.#include = options.include === undefined ? undefined : new IgnoreRules(options.include);
  }

  *folder(folder: Folder): Generator<FoundFile> {
    let entries: Dirent[];
    try {
      if (this.#options.followLinks) {
        const real = realpathSync(folder.path);
        if (this.#visited.has(real)) return this.#skip(folder.relative, 'symbolic-link');
        this.#visited.add(real);
      }
      entries = readdirSync(folder.path, { withFileTypes: true });
    } catch {
      return this.#skip(folder.relative, 'unreadable');
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const rules = this.#rulesOf(folder, entries);
    for (const entry of entries) {
      yield* this.#entry({ ...folder, rules }, entry.name);
    }
  }

  *#entry(folder: Folder, name: string): Generator<FoundFile> {
    const path = join(folder.path, name), relative = folder.relative === '' ? name : `${folder.relative}/${name}`;
    let stats: Stats;
    try {
      stats = lstatSync(path);
      if (stats.isSymbolicLink()) {
        if (!this.#options.followLinks) return this.#skip(relative, 'symbolic-link');
        stats = statSync(path);
      }
    } catch {
      return this.#skip(relative, 'unreadable');
    }
    const isFolder = stats.isDirectory();
    if (this.#exclude.match(relative, isFolder) === true || isIgnored(folder.rules, relative, isFolder)) return this.#skip(relative, 'excluded');
    if (isFolder && this.#without.has(`${stats.dev}:${stats.ino}`)) return this.#skip(relative, 'excluded');
    if (isFolder) return yield* this.folder({ path, relative, rules: folder.rules });
    if (!stats.isFile()) return this.#skip(relative, 'not-a-file'); // a pipe would block for ever
    if (this.#include !== undefined && this.#include.match(relative, false) !== true) return this.#skip(relative, 'not-included');
    yield { path, relative, bytes: stats.size };
  }

  #rulesOf(folder: Folder, entries: readonly Dirent[]): Folder['rules'] {
    if (this.#options.gitignore === false || !entries.some((entry) => entry.name === '.gitignore')) return folder.rules;
    try {
      const rules = new IgnoreRules(readFileSync(join(folder.path, '.gitignore'), 'utf8'));
      return [...folder.rules, { base: folder.relative, rules }];
    } catch {
      return folder.rules; // a folder of that name, or no permission
    }
  }

  #skip(relative: string, reason: SkipReason): void {
    this.#options.onSkip?.(relative, reason);
  }
}

/** A folder by device and inode, so that links and other spellings of its path do not hide it; itself if it is missing. */
function identity(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? path : `${stats.dev}:${stats.ino}`;
}

/** The deepest ignore file decides first; its last matching line wins. */
function isIgnored(rules: Folder['rules'], relative: string, isFolder: boolean): boolean {
  for (let i = rules.length - 1; i >= 0; i--) {
    const { base, rules: own } = rules[i]!;
    const verdict = own.match(base === '' ? relative : relative.slice(base.length + 1), isFolder);
    if (verdict !== undefined) return verdict;
  }
  return false;
}
