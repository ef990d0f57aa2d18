// What tests of collecting share: a source's context that remembers, and inputs of bytes.

import { bytesInput, type Input } from '../../../src/data/collect/content.ts';
import { readInputDocuments } from '../../../src/data/collect/read-file.ts';
import { readFileOptions } from '../../../src/data/collect/read-options.ts';
import type { Document } from '../../../src/data/document.ts';
import type { SourceContext, SourceKind } from '../../../src/data/source-kind.ts';

export type Skip = { file: string; record?: number; reason: string; detail: string };
export type Recorder = SourceContext & { skips: Skip[]; counts: Record<string, number> };

export function recorder(signal?: AbortSignal): Recorder {
  const skips: Skip[] = [], counts: Record<string, number> = {};
  return {
    name: 's',
    signal,
    skips,
    counts,
    skip: ({ file, record }, reason, detail) => void skips.push({ file, ...(record === undefined ? {} : { record }), reason, detail }),
    count: (name, by = 1) => void (counts[name] = (counts[name] ?? 0) + by),
  };
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export type Options = Parameters<typeof readFileOptions>[0];

/** Reads bytes as a file of a name. */
export async function readBytes(name: string, bytes: Buffer | string, options: Options = {}, context = recorder()): Promise<{ documents: Document[]; skips: Skip[]; counts: Record<string, number> }> {
  return readInput(bytesInput(name, Buffer.from(bytes)), options, context);
}

export async function readInput(input: Input, options: Options = {}, context = recorder()): Promise<{ documents: Document[]; skips: Skip[]; counts: Record<string, number> }> {
  const documents = await collected(readInputDocuments(input, readFileOptions(options), context));
  return { documents, skips: context.skips, counts: context.counts };
}

/** All documents of a source, units one by one. */
export async function readSource<O>(kind: SourceKind<O>, options: unknown, context = recorder()): Promise<{ documents: Document[]; keys: string[]; skips: Skip[]; counts: Record<string, number> }> {
  const parsed = kind.options.parse(options), units = await collected(kind.list(parsed, context)), documents: Document[] = [];
  for (const unit of units) documents.push(...(await collected(kind.read(JSON.parse(JSON.stringify(unit)), parsed, context))));
  return { documents, keys: units.map(({ key }) => key), skips: context.skips, counts: context.counts };
}
