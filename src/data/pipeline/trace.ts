// From a document or a training token back to where it came from. Layer: data (file access).

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import type { Side } from '../corpus.ts';
import type { Document } from '../document.ts';
import { TokenShards } from '../token-shards.ts';
import { readGzipLines, type DroppedDocument } from './drops-file.ts';
import type { Step } from './part-file.ts';

/** A line of a trace. */
export type Traced = Pick<Document, 'id' | 'origin' | 'licence' | 'meta'> & { readonly hash: string; readonly steps?: readonly Step[] };

/** What is known of a document. */
export type Why =
  | { readonly kept: true; readonly side: Side; readonly line: number; readonly tokens?: { readonly position: number; readonly length: number; readonly file: string } | undefined; readonly document: Traced }
  | { readonly kept: false; readonly document: DroppedDocument };

/** The trace of one side: line k is of document k. @throws {StorageError} if the corpus was built without one */
export function readTrace(dir: string, side: Side): Traced[] {
  return readGzipLines(join(dir, 'corpus', `trace-${side}.jsonl.gz`)) as Traced[];
}

/**
 * All that is known of a document by its id, or of the one that a training token belongs to.
 *
 * @param what an id, or a position in the training tokens
 * @returns each time that it was kept, and each reason for which it was not
 * @throws {ConfigError} if there is no such document or token
 */
export function why(dir: string, what: string | number): Why[] {
  if (typeof what === 'number') {
    const line = withShards(dir, 'train', (shards) => shards.documentAt(what));
    return [kept(dir, 'train', line, readTrace(dir, 'train')[line]!)];
  }
  const found: Why[] = [];
  for (const side of ['train', 'validation'] as const) {
    for (const [line, document] of readTrace(dir, side).entries()) if (document.id === what) found.push(kept(dir, side, line, document));
  }
  for (const document of readGzipLines(join(dir, 'corpus', 'dropped.jsonl.gz')) as DroppedDocument[]) if (document.id === what) found.push({ kept: false, document });
  if (found.length === 0) throw new ConfigError(`Cannot find "${what}" in "${dir}": no document that was read has this id. Ids are those of corpus/train.jsonl and of the report's samples.`);
  return found;
}

function kept(dir: string, side: Side, line: number, document: Traced): Why {
  const shards = join(dir, side, 'shards.json');
  const tokens = existsSync(shards)
    ? withShards(dir, side, (open) => {
      const range = open.documentRange(line);
      return { ...range, file: open.fileAt(range.position) };
    }) :
    undefined;
  return { kept: true, side, line, tokens, document };
}

function withShards<T>(dir: string, side: Side, use: (shards: TokenShards) => T): T {
  const shards = TokenShards.open(join(dir, side), { verify: false });
  try {
    return use(shards);
  } finally {
    shards.close();
  }
}

/** A JSON file of a data folder. @throws {StorageError} {ConfigError} */
export function readDataJson<T>(dir: string, name: string): T {
  const path = join(dir, name);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new ConfigError(`Cannot read "${path}": it is not valid JSON. Build the data again.`, { cause });
    throw storageError('read', path, cause);
  }
}
