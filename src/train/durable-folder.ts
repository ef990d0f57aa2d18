// Folders that are there whole or not at all: filled under a temporary name, flushed, renamed. Layer: train (file access).
// A name that begins with a dot is never a result: what a killed run left under one is removed or put back by `recover`.

import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolder, storageError, syncFolder } from '../base/durable.ts';

const DRAFT = '.draft', OLD = '.old';

/**
 * Makes a folder, or replaces one, atomically but for the moment between two renames, which `recoverFolders` repairs.
 *
 * @param fill writes the files, and nothing else, into the folder it is given
 * @throws what `fill` throws, and {StorageError} with a remedy; the older folder is then still there
 */
export function writeFolder(path: string, fill: (draft: string) => void): void {
  const parent = dirname(path), draft = join(parent, `.${basename(path)}${DRAFT}`), old = join(parent, `.${basename(path)}${OLD}`);
  try {
    rmSync(draft, { recursive: true, force: true });
    makeFolder(draft);
    fill(draft);
    syncTree(draft);
    if (existsSync(path)) {
      rmSync(old, { recursive: true, force: true });
      renameSync(path, old);
    }
    renameSync(draft, path);
    syncFolder(parent);
    rmSync(old, { recursive: true, force: true });
  } catch (cause) {
    rmSync(draft, { recursive: true, force: true });
    if (existsSync(old) && !existsSync(path)) renameSync(old, path);
    throw storageError('write the folder', path, cause);
  }
}

/** Removes a folder so that no part of it is ever taken for the whole. @throws {StorageError} */
export function removeFolder(path: string): void {
  const old = join(dirname(path), `.${basename(path)}${OLD}`);
  try {
    rmSync(old, { recursive: true, force: true });
    renameSync(path, old);
    rmSync(old, { recursive: true, force: true });
  } catch (cause) {
    throw storageError('remove the folder', path, cause);
  }
}

/**
 * Clears away what a killed process left in `parent`: drafts go; a folder that was moved aside goes back if its
 * replacement never came. Only for a parent that is locked by the caller.
 */
export function recoverFolders(parent: string, isOurs: (name: string) => boolean): void {
  if (!existsSync(parent)) return;
  try {
    for (const entry of readdirSync(parent)) {
      const [, name = '', kind] = /^\.(.+)(\.draft|\.old)$/.exec(entry) ?? [];
      if (kind === undefined || !isOurs(name)) continue;
      // A folder moved aside to be removed has no replacement either; putting it back is harmless.
      if (kind === OLD && !existsSync(join(parent, name))) renameSync(join(parent, entry), join(parent, name));
      else rmSync(join(parent, entry), { recursive: true, force: true });
    }
  } catch (cause) {
    throw storageError('clear up the folder', parent, cause);
  }
}

/** Flushes all files of a folder, then the folders. */
function syncTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) syncTree(child);
    else syncFile(child);
  }
  syncFolder(path);
}

function syncFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
