// Models of a hub: fetched at a recorded commit into Hugging Face's own cache, and opened from there when there is no
// network. Layer: models (file access). @huggingface/hub lists what there is; it downloads without resuming or checking
// and follows redirects with what `fetch` sends along, so that files are fetched by hub-download.ts.
// See https://huggingface.co/docs/huggingface_hub/guides/manage-cache for the cache's layout.

import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { existsSync, readFileSync, renameSync, rmSync, statfsSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../base/durable.ts';
import { AthanorError, FormatError, InterruptedError, ProtocolError, StorageError } from '../base/errors.ts';
import { lockFolder } from '../base/lock.ts';
import { downloadFile } from './hub-download.ts';
import { hubFetcher, type HubAccess } from './hub-fetch.ts';
import { filesToFetch, type HubFile, type HubName } from './hub-name.ts';

export interface HubOptions extends HubAccess {
  /** The cache's folder. */
  readonly cache: string;
  /** Ask nobody: what is in the cache must do. */
  readonly offline?: boolean;
  /** Called with bytes of all files. */
  readonly progress?: (done: number, total: number, file: string) => void;
  /** Told what happened otherwise than was asked. */
  readonly note?: (text: string) => void;
}

/** A model in the cache. */
export interface CachedModel {
  /** The folder of the files, or the GGUF file. */
  readonly path: string;
  readonly commit: string;
}

const COMMIT = /^[0-9a-f]{40}$/;

/**
 * The files of a hub's model, fetched where they are not there.
 *
 * @throws {ProtocolError} if the hub does not answer or says no, and the cache has no copy
 * @throws {FormatError} if what it gives is not what it lists, or there is nothing that is read here
 * @throws {InterruptedError} when the signal aborts; what was fetched is kept
 */
export async function fetchModel(name: HubName, options: HubOptions): Promise<CachedModel> {
  const folder = join(options.cache, `models--${name.name.replace('/', '--')}`);
  if (options.offline === true) return cached(folder, name, 'the hub is not asked (HF_HUB_OFFLINE)');
  let commit: string;
  try {
    commit = await commitOf(name, options);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.status !== undefined) throw error;
    const copy = cached(folder, name, error.message); // nobody answered
    options.note?.(`${error.message} Using the copy of commit ${copy.commit}.`);
    return copy;
  }
  const files = filesToFetch(await listed(name, commit, options), name);
  const lock = lockFolder(folder);
  try {
    await fetchFiles(folder, name, commit, files, options);
  } finally {
    lock.release();
  }
  const ref = join(folder, 'refs', name.revision);
  if (!COMMIT.test(name.revision)) {
    makeFolder(join(ref, '..'));
    writeDurable(ref, commit);
  }
  return placeOf(join(folder, 'snapshots', commit), name, commit, files.map(({ path }) => path));
}

function placeOf(snapshot: string, name: HubName, commit: string, files: readonly string[]): CachedModel {
  const gguf = name.file ?? (files.length === 1 && files[0]!.endsWith('.gguf') ? files[0] : undefined);
  return { path: gguf === undefined ? snapshot : join(snapshot, gguf), commit };
}

/** Written when all files of a snapshot are there; what it lists says whether it is a folder or one file. */
const COMPLETE = '.athanor-files';

function cached(folder: string, name: HubName, why: string): CachedModel {
  const ref = join(folder, 'refs', name.revision), commit = COMMIT.test(name.revision) ? name.revision : existsSync(ref) ? readFileSync(ref, 'utf8').trim() : undefined;
  const snapshot = commit === undefined ? undefined : join(folder, 'snapshots', commit);
  if (commit === undefined || !COMMIT.test(commit) || !existsSync(snapshot!)) throw new StorageError(`Cannot open hub:${name.name}@${name.revision}: ${why.replace(/\.$/, '')}, and "${folder}" has no copy of it. Fetch it once with a network.`, { path: folder });
  const list = join(snapshot!, COMPLETE), files = existsSync(list) ? readFileSync(list, 'utf8').split('\n').filter((line) => line !== '') : [];
  const { path } = placeOf(snapshot!, name, commit, files);
  if (!existsSync(path)) throw new StorageError(`Cannot open hub:${name.name}:${name.file}: ${why.replace(/\.$/, '')}, and "${snapshot}" has no such file.`, { path });
  return { path, commit };
}

/** What a revision is now. */
async function commitOf({ name, revision }: HubName, options: HubOptions): Promise<string> {
  const { sha } = await asked(name, () => modelInfo({ name, revision, additionalFields: ['sha'], hubUrl: options.endpoint, fetch: hubFetcher(options) }));
  if (typeof sha !== 'string' || !COMMIT.test(sha)) throw new ProtocolError(`Cannot use hub:${name}@${revision}: the hub names no commit for it.`, { status: 200 });
  return sha;
}

/** Answers with more files than this are for filling memory. */
const MAX_FILES = 20_000;

async function listed({ name }: HubName, commit: string, options: HubOptions): Promise<HubFile[]> {
  return asked(name, async () => {
    const files: HubFile[] = [];
    for await (const { type, path, size, oid, lfs } of listFiles({ repo: name, revision: commit, hubUrl: options.endpoint, fetch: hubFetcher(options) })) {
      if (files.length === MAX_FILES) throw new ProtocolError(`Cannot use hub:${name}: it lists more than ${MAX_FILES} files.`, { status: 200 });
      const hash = String(lfs?.oid ?? oid).replace(/^sha256:/, ''), algorithm = lfs === undefined ? 'git-sha1' : 'sha256';
      if (type === 'file') files.push({ path, size: lfs?.size ?? size, hash, algorithm });
    }
    return files;
  });
}

/** Errors of the library in our words. */
async function asked<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AthanorError) throw error;
    if (!(error instanceof HubApiError)) throw new ProtocolError(`Cannot use hub:${name}: the hub's answer is not what was agreed (${(error as Error).message.slice(0, 200)}).`, { status: 200, cause: error });
    const { statusCode: status } = error, why = status === 401 || status === 403
      ? 'the hub does not show it without permission. Accept its terms on its page, and set HF_TOKEN'
      : status === 404
      ? 'the hub has no such model or revision. Check the name'
      : `the hub answers ${status}`;
    throw new ProtocolError(`Cannot use hub:${name}: ${why}.`, { status, cause: error });
  }
}

async function fetchFiles(folder: string, { name }: HubName, commit: string, files: readonly HubFile[], options: HubOptions): Promise<void> {
  const blobs = join(folder, 'blobs'), snapshot = join(folder, 'snapshots', commit), total = files.reduce((sum, { size }) => sum + size, 0);
  makeFolder(blobs);
  makeFolder(snapshot);
  const wanted = files.filter((file) => !isThere(join(snapshot, file.path), file));
  checkRoom(blobs, wanted.reduce((sum, { size }) => sum + size, 0));
  let done = total - wanted.reduce((sum, { size }) => sum + size, 0);
  for (const file of wanted) {
    if (!/^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(file.hash)) throw new FormatError(`Cannot fetch "${file.path}" of hub:${name}: the hub lists no hash for it.`, { path: name });
    const blob = join(blobs, file.hash), url = `${options.endpoint}/${name}/resolve/${commit}/${encodeURIComponent(file.path)}`;
    if (options.signal?.aborted) throw new InterruptedError('Stopped; what was fetched is kept, and the next attempt goes on from there.');
    if (!isThere(blob, file)) await downloadFile(options, url, file, blob, (bytes) => options.progress?.(done + bytes, total, file.path));
    linkInto(snapshot, file, blob);
    options.progress?.(done += file.size, total, file.path);
  }
  writeDurable(join(snapshot, COMPLETE), `${files.map(({ path }) => path).join('\n')}\n`);
}

/** Blobs are named by their hash, and appear only when it was checked. */
function isThere(path: string, { size }: HubFile): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === size;
}

function checkRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder), free = bavail * bsize;
  if (bytes > free) throw new StorageError(`Cannot fetch ${bytes} bytes into "${folder}": the disk has ${free} free. Free some space, or choose another folder (HF_HUB_CACHE).`, { path: folder });
}

/** A link to the blob, as Hugging Face's tools make it; where there are no links, the file itself. */
function linkInto(snapshot: string, { path, hash }: HubFile, blob: string): void {
  const link = join(snapshot, path);
  try {
    rmSync(link, { force: true });
    try {
      symlinkSync(join('..', '..', 'blobs', hash), link);
    } catch {
      renameSync(blob, link);
    }
  } catch (cause) {
    throw storageError('write', link, cause);
  }
}
