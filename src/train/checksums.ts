// SHA-256 of files, and folders that list theirs. Layer: train (file access).

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { storageError, writeDurable } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';

const CHUNK_BYTES = 2 ** 20;

/** A file's size and SHA-256, hexadecimal. */
export type FileSum = { bytes: number; sha256: string };

/** @throws {StorageError} if the file cannot be read */
export function sumOf(path: string): FileSum {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const hash = createHash('sha256'), chunk = new Uint8Array(CHUNK_BYTES);
    let bytes = 0;
    for (;;) {
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) break;
      hash.update(chunk.subarray(0, count));
      bytes += count;
    }
    return { bytes, sha256: hash.digest('hex') };
  } catch (cause) {
    throw storageError('read', path, cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** SHA-256 of a text or of a JSON value in its canonical form (keys sorted), hexadecimal. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(typeof value === 'string' ? value : canonical(value)).digest('hex');
}

/** JSON with sorted keys and without undefined fields: equal values give equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner)) ?? 'null';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Writes a list of all files of a folder with their checksums, last of all. */
export function writeManifest(folder: string, name: string, fields: Readonly<Record<string, unknown>>): void {
  const files = Object.fromEntries(listFiles(folder).filter((file) => file !== name).map((file) => [file, sumOf(join(folder, file))]));
  writeDurable(join(folder, name), `${JSON.stringify({ ...fields, files }, null, 2)}\n`);
}

/** Files of a folder and its folders, by their paths in it, sorted. */
function listFiles(folder: string, within = ''): string[] {
  return readdirSync(join(folder, within), { withFileTypes: true }).flatMap((entry) => {
    const path = within === '' ? entry.name : `${within}/${entry.name}`;
    return entry.isDirectory() ? listFiles(folder, path) : [path];
  }).sort();
}

/**
 * Compares a folder with its manifest.
 *
 * @returns the manifest's fields
 * @throws {FormatError} naming the file that is missing, cut short or damaged
 * @throws {StorageError} if a file cannot be read
 */
export function verifyManifest(folder: string, name: string): Record<string, unknown> {
  const path = join(folder, name), manifest = readJson(path);
  const files = manifest.files;
  if (!isRecord(files)) throw new FormatError(`Cannot read "${path}": it lists no files.`, { path });
  for (const [file, expected] of Object.entries(files)) {
    if (file.split('/').some((part) => part === '..' || part === '') || !isRecord(expected)) throw new FormatError(`Cannot read "${path}": it lists "${file}" wrongly.`, { path });
    const child = join(folder, file), size = sizeOf(child);
    if (size === undefined) throw new FormatError(`"${child}" is missing`, { path: child });
    if (size !== expected.bytes) throw new FormatError(`"${child}" has ${size} bytes instead of ${String(expected.bytes)}`, { path: child, offset: Math.min(size, Number(expected.bytes)) });
    if (sumOf(child).sha256 !== expected.sha256) throw new FormatError(`"${child}" does not match its checksum`, { path: child });
  }
  return manifest;
}

function sizeOf(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storageError('read', path, cause);
  }
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

/** @throws {StorageError | FormatError} */
export function readJson(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw storageError('read', path, cause);
  }
  try {
    const value = JSON.parse(text) as unknown;
    if (isRecord(value)) return value;
  } catch (cause) {
    throw new FormatError(`Cannot read "${path}": it is not valid JSON.`, { path, cause });
  }
  throw new FormatError(`Cannot read "${path}": it should hold fields by name.`, { path });
}
