// Tokenizer files on disk. Layer: tokenizer (file access; the rest of the folder is pure).

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { storageError, writeDurable } from '../base/durable.ts';
import { FormatError } from '../base/errors.ts';
import { isSentencePiece, parseSentencePiece } from './sentencepiece.ts';
import { parseTiktoken, type TiktokenOptions } from './tiktoken.ts';
import { formatTokenizer, parseTokenizer } from './tokenizer-json.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The name in a model folder. */
export const TOKENIZER_FILE = 'tokenizer.json';

/** SentencePiece's name in a model folder, where there is no tokenizer.json. */
export const SENTENCEPIECE_FILE = 'tokenizer.model';

/** The file itself, for a path that may be a model folder. */
function fileOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, TOKENIZER_FILE) : path;
}

/** The file to read: of a model folder its tokenizer.json, or without one its tokenizer.model. */
function readableFile(path: string): string {
  const file = fileOf(path), model = join(path, SENTENCEPIECE_FILE);
  return file !== path && !existsSync(file) && existsSync(model) ? model : file;
}

/**
 * Reads a tokenizer.json, or a SentencePiece `.model`.
 *
 * @param path the file, or the model folder that holds it
 * @throws {StorageError} if it cannot be read
 * @throws {FormatError} if it is damaged or asks for what is not supported
 */
export function loadTokenizer(path: string): Tokenizer {
  const file = readableFile(path), bytes = bytesOf(file);
  return file.endsWith('.model') && isSentencePiece(bytes) ? parseSentencePiece(bytes, file) : parseTokenizer(textOf(bytes, file), file);
}

/**
 * Reads a tiktoken rank file.
 *
 * @param options what the file does not say: pattern and special tokens
 * @throws {StorageError} if it cannot be read
 * @throws {FormatError} if it is damaged
 * @throws {ConfigError} if the pattern is not supported
 */
export function loadTiktoken(path: string, options: Omit<TiktokenOptions, 'file'>): Tokenizer {
  return parseTiktoken(textOf(bytesOf(path), path), { ...options, file: path });
}

function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw storageError('read', file, cause);
  }
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`Cannot read "${file}": it is not UTF-8. Get another copy of it.`, { path: file, cause });
  }
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
