// One file from a hub: resumed where it stopped, held to its size and hash, and there whole or not at all.
// Layer: models (file access).

import { createHash, type Hash } from 'node:crypto';
import { closeSync, createReadStream, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { storageError, syncFolder, writeAll } from '../base/durable.ts';
import { AthanorError, FormatError, InterruptedError, ProtocolError } from '../base/errors.ts';
import { causeOf, hubRequest, pause, shown, type HubAccess } from './hub-fetch.ts';
import type { HubFile } from './hub-name.ts';

/** Attempts that bring nothing before a download fails. */
const ATTEMPTS = 5;

/**
 * Fetches a file to `path`. Bytes gather in `path.incomplete`, which stays when the download stops and is gone on with.
 *
 * @param progress called with the bytes that are there
 * @throws {ProtocolError} if the hub does not give it, even after some attempts
 * @throws {FormatError} if the content is not what its hash says
 * @throws {InterruptedError} when the signal aborts
 */
export async function downloadFile(access: HubAccess, url: string, file: HubFile, path: string, progress: (bytes: number) => void): Promise<void> {
  const partial = `${path}.incomplete`;
  let restarted = false;
  for (let failures = 0;;) {
    const before = sizeOf(partial);
    try {
      if (before < file.size) await append(access, url, file, partial, progress);
      if (sizeOf(partial) >= file.size || file.size === 0) {
        if (await hashOf(partial, file) === file.hash) return finish(partial, path);
        rmSync(partial, { force: true });
        if (restarted || before === 0) throw new FormatError(`Cannot use "${file.path}" from "${shown(url)}": its content is not what its ${file.algorithm === 'sha256' ? 'SHA-256' : 'Git hash'} ${file.hash} says. It was deleted; try again, or another endpoint.`, { path, offset: 0 });
        restarted = true; // what was there before may have been the damaged part
        continue;
      }
      throw new Error(`it ended after ${sizeOf(partial)} of ${file.size} bytes`);
    } catch (error) {
      if (access.signal?.aborted) throw new InterruptedError(`Stopped; ${sizeOf(partial)} of ${file.size} bytes of "${file.path}" are kept, and the next attempt goes on from there.`);
      if (error instanceof AthanorError) throw error;
      failures = sizeOf(partial) > before ? 0 : failures + 1;
      if (failures === ATTEMPTS) throw new ProtocolError(`Cannot fetch "${shown(url)}": ${causeOf(error)}. What came is kept; run the command again.`, { cause: error });
      await pause((access.retryMs ?? 500) * 2 ** failures, access.signal);
    }
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Asks for what is missing and writes what comes, never more than the file has. */
async function append(access: HubAccess, url: string, file: HubFile, partial: string, progress: (bytes: number) => void): Promise<void> {
  const have = sizeOf(partial), response = await hubRequest(access, url, have > 0 ? { range: `bytes=${have}-` } : {});
  if (response.status === 416) return rmSync(partial, { force: true });
  if (!response.ok) {
    await response.body?.cancel();
    throw new ProtocolError(`Cannot fetch "${shown(url)}": the hub answers ${response.status}.`, { status: response.status });
  }
  const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? ''), from = response.status === 206 && range !== null ? Number(range[1]) : 0;
  if (from > have) throw new ProtocolError(`Cannot fetch "${shown(url)}": asked for bytes from ${have} on, the hub gives those from ${from}.`, { status: response.status });
  await write(partial, from, response, file, { access, progress, url });
}

interface Writing {
  readonly access: HubAccess;
  readonly progress: (bytes: number) => void;
  readonly url: string;
}

/** Appends what comes to what stays: the first `from` bytes. */
async function write(partial: string, from: number, response: Response, file: HubFile, { access, progress, url }: Writing): Promise<void> {
  const reader = response.body!.getReader(), fd = openAt(partial, from);
  let done = from;
  try {
    for (;;) {
      const part = await within(access.idleMs ?? 30_000, reader.read());
      if (part.done) return;
      done += part.value.length;
      if (done > file.size) throw new ProtocolError(`Cannot fetch "${shown(url)}": it has more than the ${file.size} bytes that the hub lists.`, { status: response.status });
      try {
        writeAll(fd, part.value);
      } catch (cause) {
        throw storageError('write', partial, cause);
      }
      progress(done);
    }
  } finally {
    closeSync(fd);
    await reader.cancel().catch(() => undefined);
  }
}

function openAt(partial: string, from: number): number {
  try {
    const fd = openSync(partial, 'a');
    ftruncateSync(fd, from);
    return fd;
  } catch (cause) {
    throw storageError('write', partial, cause);
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Git hashes a blob with its kind and length in front. */
function newHash({ algorithm, size }: HubFile): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

/** The hash of a file's content as the hub counts it, in hexadecimal. */
export async function hashOf(path: string, file: HubFile): Promise<string> {
  const hash = newHash(file);
  if (sizeOf(path) > 0) { for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer); }
  return hash.digest('hex');
}

function finish(partial: string, path: string): void {
  try {
    const fd = openSync(partial, 'a');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, path);
    syncFolder(dirname(path));
  } catch (cause) {
    throw storageError('write', path, cause);
  }
}
