// The source `git`: the files of a commit, with languages and licences. Layer: data (processes).

import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../../../base/durable.ts';
import { ConfigError } from '../../../base/errors.ts';
import { IgnoreRules } from '../../ignore.ts';
import type { SourceContext, SourceKind } from '../../source-kind.ts';
import { DEFAULT_EXCLUDES } from '../../walk.ts';
import { throwIfAborted } from '../../work.ts';
import { bytesInput } from '../content.ts';
import { codeLanguage, isVendored, whyGenerated } from '../git/code-files.ts';
import { cloneBare, git as runGit, objectContents, treeFiles, type TreeFile } from '../git/git-program.ts';
import { headerLicence, isLicenceFile, licenceFor, licenceOfText } from '../git/licences.ts';
import { Fetcher, shownUrl } from '../net/guarded-fetch.ts';
import { readInputDocuments } from '../read-file.ts';
import { readFileShape } from '../read-options.ts';

const gitSchema = z.strictObject({
  repository: z.string().describe('a folder, or an https address to clone'),
  ref: z.string().regex(/^[\w][\w./-]*$/).optional().describe('branch, tag or commit (default: where HEAD stands); of an address a branch or tag'),
  cache: z.string().optional().describe('folder for clones; needed for addresses'),
  include: z.array(z.string()).optional().describe('patterns of files to take, as in .gitignore'),
  exclude: z.array(z.string()).default([...DEFAULT_EXCLUDES]).describe('patterns to leave out'),
  languages: z.array(z.string()).optional().describe('take files of these languages only (python, typescript …)'),
  generated: z.boolean().default(false).describe('take files that a program made'),
  vendored: z.boolean().default(false).describe('take code that was copied in'),
  maxFileBytes: z.int().positive().default(2 ** 20).describe('larger files are left out: they are data'),
  allow: z.array(z.string()).default([]).describe('hosts beyond the public network that may be asked'),
  ...readFileShape,
});

export type GitOptions = z.output<typeof gitSchema>;

/** Files that one process reads in one go. */
const FILES_A_UNIT = 200;

export const git: SourceKind<GitOptions> = {
  name: 'git',
  about: 'The files of a commit of a git repository, with languages and licences; generated and vendored ones are left out.',
  options: gitSchema,
  async *list(options, context) {
    const repository = await localRepository(options, context), commit = (await runGit(['-C', repository, 'rev-parse', '--verify', '--quiet', `${startOf(repository, options)}^{commit}`], options.repository, context.signal)).trim();
    const taken = filesToTake(await treeFiles(repository, commit, context.signal), options, context);
    for (let from = 0; from < taken.length; from += FILES_A_UNIT) {
      const files = taken.slice(from, from + FILES_A_UNIT);
      yield { key: `${commit}-${from}`, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), place: { repository: resolve(repository), commit, from } };
    }
  },
  async *read(unit, options, context) {
    const { repository, commit, from } = unit.place as { repository: string; commit: string; from: number }, all = await treeFiles(repository, commit, context.signal);
    const silent: SourceContext = { ...context, skip: () => undefined, count: () => undefined }; // listing said it already
    const files = filesToTake(all, options, silent).slice(from, from + FILES_A_UNIT), licences = await licencesOf(repository, all);
    let at = 0;
    for await (const bytes of objectContents(repository, files.map(({ object }) => object))) {
      throwIfAborted(context.signal, 'read');
      const { path } = files[at++]!, head = bytes.toString('utf8', 0, 8192), language = codeLanguage(path, head), why = options.generated ? undefined : whyGenerated(path, bytes.toString('utf8', 0, 2 ** 18));
      if (why !== undefined) context.skip({ file: path, bytes: bytes.length }, 'generated', `A program made it: ${why}.`);
      else if (options.languages !== undefined && !options.languages.includes(language ?? '')) context.skip({ file: path, bytes: bytes.length }, 'other-language', language ?? 'unknown');
      else {
        const licence = headerLicence(head) ?? licenceFor(path, licences), input = { ...bytesInput(path, bytes), name: path };
        // Code is text whatever it holds: a page or a table in a repository is what somebody wrote.
        for await (const document of readInputDocuments(input, { ...options, format: options.format ?? 'text' }, context)) {
          yield { ...document, ...(licence === undefined ? {} : { licence }), meta: { ...document.meta, commit, ...(language === undefined ? {} : { codeLanguage: language }) } };
        }
      }
    }
  },
};

function filesToTake(files: readonly TreeFile[], options: GitOptions, context: SourceContext): TreeFile[] {
  const include = options.include === undefined ? undefined : new IgnoreRules(options.include), exclude = new IgnoreRules(options.exclude);
  const folders = (path: string): string[] => path.split('/').slice(0, -1).map((_, i, parts) => parts.slice(0, i + 1).join('/'));
  return files.filter(({ path, bytes }) => {
    const skip = (reason: string, detail = ''): false => (context.skip({ file: path, bytes }, reason, detail), false);
    if (exclude.match(path, false) === true || folders(path).some((folder) => exclude.match(folder, true) === true)) return skip('excluded');
    if (include !== undefined && include.match(path, false) !== true) return skip('not-included');
    if (!options.vendored && isVendored(path)) return skip('vendored');
    return bytes <= options.maxFileBytes || skip('too-large', `${bytes} bytes, and ${options.maxFileBytes} is the most.`);
  });
}

/** Licences of the folders that have a licence file. */
async function licencesOf(repository: string, files: readonly TreeFile[]): Promise<Map<string, string>> {
  const found = files.filter(({ path, bytes }) => isLicenceFile(path.slice(path.lastIndexOf('/') + 1)) && bytes < 2 ** 20), licences = new Map<string, string>();
  let at = 0;
  for await (const bytes of objectContents(repository, found.map(({ object }) => object))) {
    const { path } = found[at++]!, licence = licenceOfText(bytes.toString('utf8')), folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (licence !== undefined && !licences.has(folder)) licences.set(folder, licence);
  }
  return licences;
}

/** What is read: the ref where the repository has it; a clone of a branch or tag has that one alone, as its HEAD. */
function startOf(repository: string, options: GitOptions): string {
  return options.ref === undefined || repository !== options.repository ? 'HEAD' : options.ref;
}

/** The repository's folder, cloned where it is an address. */
async function localRepository(options: GitOptions, context: SourceContext): Promise<string> {
  const { repository, cache, ref, allow } = options;
  if (!/^[a-z][a-z+.-]*:\/\//i.test(repository)) {
    if (!existsSync(repository)) throw new ConfigError(`Cannot read the repository "${repository}": there is no such folder.`, { path: 'repository' });
    return repository;
  }
  if (!/^https?:\/\//i.test(repository)) throw new ConfigError(`Cannot clone "${shownUrl(repository)}": only https addresses are cloned.`, { path: 'repository' });
  if (cache === undefined) throw new ConfigError('Cannot clone a repository without a folder for it: name one with "cache".', { path: 'cache' });
  const folder = join(cache, createHash('sha256').update(`${repository}\n${ref ?? ''}`).digest('hex').slice(0, 24));
  if (existsSync(join(folder, 'HEAD'))) return folder;
  // git resolves the name itself, so that this check cannot pin its address; redirects are off.
  const fetcher = new Fetcher({ allow, maxRedirects: 0 });
  try {
    (await fetcher.fetch(`${repository.replace(/\/$/, '')}/info/refs?service=git-upload-pack`, { signal: context.signal })).cancel();
  } finally {
    fetcher.close();
  }
  makeFolder(cache);
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  await cloneBare(repository, partial, ref, context.signal);
  renameSync(partial, folder);
  return folder;
}
