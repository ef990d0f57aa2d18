// Tokenizer files on disk. Layer: tokenizer (file access; the rest of the folder is pure).

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { storageError, writeDurable } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { formatTokenizer, parseTokenizer } from './tokenizer-json.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The name in a model folder. */
export const TOKENIZER_FILE = 'tokenizer.json';

/** The file itself, for a path that may be a model folder. */
function fileOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, TOKENIZER_FILE) : path;
}

/**
 * Reads a tokenizer.json.
 *
 * @param path the file, or the model folder that holds it
 * @throws {StorageError} if it cannot be read
 * @throws {FormatError} if it is damaged or asks for what is not supported
 */
export function loadTokenizer(path: string): Tokenizer {
  const file = fileOf(path);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw storageError('read', file, cause);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`Cannot read "${file}": it is not UTF-8. Get another copy of it.`, { path: file, cause });
  }
  return parseTokenizer(text, file);
}

/**
 * Writes a tokenizer.json, whole or not at all.
 *
 * @param path the file, or an existing folder to put it in
 * @throws {StorageError} if it cannot be written; an older file is then still there
 */
export function saveTokenizer(tokenizer: Tokenizer, path: string): void {
  writeDurable(fileOf(path), formatTokenizer(tokenizer));
}
