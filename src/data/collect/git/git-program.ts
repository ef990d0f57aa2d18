// The git program, asked for nothing but reading: hooks, filters and helpers of a stranger's repository never run. Layer: data
// (processes). Only plumbing is used (rev-parse, ls-tree, cat-file), which looks at objects and not at a work tree.

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { BackendError, InterruptedError, ProtocolError, StorageError } from '../../../base/errors.ts';
import { ByteReader } from '../byte-reader.ts';

const run = promisify(execFile);

/** Settings that a repository's own cannot override. */
const SAFE = ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false', '-c', 'protocol.ext.allow=never', '-c', 'http.followRedirects=false', '-c', 'credential.helper='];
const ENVIRONMENT = { GIT_TERMINAL_PROMPT: '0', GIT_ASKPASS: 'true', GIT_OPTIONAL_LOCKS: '0', GIT_ALLOW_PROTOCOL: 'https:http', LC_ALL: 'C' };
const MAX_LIST_BYTES = 2 ** 30;

/** A file of a commit. */
export type TreeFile = { readonly path: string; readonly object: string; readonly bytes: number };

/** The output of git. @throws {StorageError} if it says no; {BackendError} if it is not installed */
export async function git(words: readonly string[], repository: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    const { stdout } = await run('git', [...SAFE, ...words], { env: { ...process.env, ...ENVIRONMENT }, maxBuffer: MAX_LIST_BYTES, ...(signal === undefined ? {} : { signal }) });
    return stdout;
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    if (signal?.aborted) throw new InterruptedError('Stopped while git was asked.');
    if (code === 'ENOENT') throw new BackendError('Cannot read a git repository: the program git is not installed.', { help: 'Install git.' });
    throw new StorageError(`Cannot read the repository "${repository}": ${(stderr ?? '').trim().split('\n').at(-1)?.slice(0, 300) || String(code)}.`, { path: repository, cause });
  }
}

/** Clones without a work tree, one commit deep. @throws {ProtocolError} if it cannot be had */
export async function cloneBare(url: string, folder: string, ref: string | undefined, signal: AbortSignal | undefined): Promise<void> {
  try {
    await git(['clone', '--quiet', '--bare', '--depth', '1', ...(ref === undefined ? [] : ['--branch', ref]), '--', url, folder], url, signal);
  } catch (cause) {
    if (cause instanceof StorageError) throw new ProtocolError(cause.message.replace('Cannot read', 'Cannot clone'), { cause });
    throw cause;
  }
}

/** All files of a commit with their sizes, in git's order; links and submodules are no files. */
export async function treeFiles(repository: string, commit: string, signal: AbortSignal | undefined): Promise<TreeFile[]> {
  const list = await git(['-C', repository, 'ls-tree', '-r', '-l', '-z', '--full-tree', commit], repository, signal), files: TreeFile[] = [];
  for (const line of list.split('\0')) {
    const match = /^100\d{3} blob ([0-9a-f]{40,64}) +(\d+)\t([^]+)$/.exec(line);
    if (match !== null) files.push({ object: match[1]!, bytes: Number(match[2]), path: match[3]! });
  }
  return files;
}

/** The contents of objects, one after the other, by one process. */
export async function* objectContents(repository: string, objects: readonly string[]): AsyncGenerator<Buffer> {
  const child = spawn('git', [...SAFE, '-C', repository, 'cat-file', '--batch'], { env: { ...process.env, ...ENVIRONMENT }, stdio: ['pipe', 'pipe', 'ignore'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  const reader = new ByteReader(child.stdout as AsyncIterable<Buffer>);
  try {
    child.stdin.end(objects.map((object) => `${object}\n`).join(''));
    for (const object of objects) {
      const size = / blob (\d+)$/.exec((await reader.line(1000))?.toString() ?? '')?.[1];
      if (size === undefined) throw new StorageError(`Cannot read object ${object} of "${repository}": git does not have it.`, { path: repository });
      yield await reader.exactly(Number(size));
      await reader.skip(1);
    }
  } finally {
    child.kill();
  }
}
