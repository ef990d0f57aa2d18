// One run per folder: a lock file that says who holds it. Layer: base (file access; not for browsers).
// The file appears whole, by link(2), which fails where there is one already. A holder is known by host, process id and
// the time its process started, since ids are used again; a holder that no longer runs has left a stale lock, which is taken
// over. Locks of another host cannot be judged and are respected (shared folders of a cluster, containers).

import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeFolder, storageError } from './durable.ts';
import { StorageError } from './errors.ts';

const LOCK_NAME = 'athanor.lock';
/** Takeovers can lose a race against another process's; more losses than this mean something else is wrong. */
const ATTEMPTS = 5;

/** Who holds a folder. */
export type LockHolder = {
  pid: number;
  host: string;
  /** When the process started, in the platform's own words: compared, never parsed. Empty where it cannot be known. */
  processStart: string;
  /** When the lock was taken, ISO 8601. */
  since: string;
  command: string;
};

/** A folder held by this process. */
export type FolderLock = {
  readonly path: string;
  /** Gives the folder back; calling it again does nothing. */
  release(): void;
};

/**
 * Takes a folder for this process, making it if needed.
 *
 * @param dir the folder of a run
 * @throws {StorageError} naming the holder if a living process has it, this one included, or if the folder is not writable
 *
 * @example
 * const lock = lockFolder('runs/first');
 * try { train(); } finally { lock.release(); }
 */
export function lockFolder(dir: string): FolderLock {
  makeFolder(dir);
  const path = join(dir, LOCK_NAME);
  const own: LockHolder = {
    pid: process.pid,
    host: hostname(),
    processStart: processStart(process.pid) ?? '',
    since: new Date().toISOString(),
    command: process.argv.slice(1).join(' '),
  };
  const text = `${JSON.stringify(own)}\n`, draft = `${path}.${process.pid}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(path, draft, text)) return held(path, text);
    const found = readLock(path);
    if (found === undefined) continue; // released between the two calls
    const holder = parseHolder(found);
    if (holder !== undefined && mayRun(holder)) throw heldError(dir, path, holder);
    removeStale(path, found);
  }
  throw new StorageError(`Cannot lock the folder "${dir}": other processes keep taking and leaving "${path}". Try again.`, { path });
}

/** Puts the lock there unless there is one. */
function create(path: string, draft: string, text: string): boolean {
  try {
    writeFileSync(draft, text);
    try {
      linkSync(draft, path);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') return false;
      // File systems without hard links (FAT, some network ones): a reader may see the file before its text; it is then
      // taken for a damaged lock. Better than no lock.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw cause;
      writeFileSync(path, text, { flag: 'wx' });
    }
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw storageError('lock the folder by the file', path, cause);
  } finally {
    rmSync(draft, { force: true });
  }
}

function held(path: string, text: string): FolderLock {
  const release = (): void => {
    process.removeListener('exit', release);
    // Not ours any more if someone took it for stale, for instance after the file was copied to another host.
    if (readLock(path) === text) rmSync(path, { force: true });
  };
  process.once('exit', release);
  return { path, release };
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storageError('read the lock', path, cause);
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<LockHolder> | null;
    return typeof holder?.pid === 'number' && holder.pid > 0 && typeof holder.host === 'string' ? holder as LockHolder : undefined;
  } catch {
    return undefined; // half-written by a machine that lost power
  }
}

/** Moves the stale file away and looks again: if it is not the one that was judged, a living process's lock goes back. */
function removeStale(path: string, judged: string): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== judged) linkSync(aside, path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw storageError('take over the stale lock', path, cause);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Whether the holder may still be running: yes where it cannot be known. */
function mayRun(holder: LockHolder): boolean {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const start = processStart(holder.pid);
  return start === undefined || !holder.processStart || start === holder.processStart;
}

/** When a process started; '' if it is only a zombie, undefined where the platform does not say. */
function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      // proc(5): after the command in parentheses comes the state (field 3); the start, in ticks since boot, is field 22.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8'), fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z') return '';
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
    }
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

function heldError(dir: string, path: string, holder: LockHolder): StorageError {
  const here = holder.host === hostname();
  const who = here && holder.pid === process.pid ? 'this process' : `process ${holder.pid}${here ? '' : ` on ${holder.host}`}`;
  const remedy = here
    ? 'Wait for it, stop it, or choose another folder.'
    : `Wait for it, or choose another folder; if it surely no longer runs, delete "${path}".`;
  return new StorageError(`Cannot use the folder "${dir}": ${who} works in it since ${holder.since} (${holder.command}). ${remedy}`, { path });
}
