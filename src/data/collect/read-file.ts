// A file, or anything with bytes, to documents: the right reader, what is inside archives too. Layer: data.
// Whatever is wrong with strangers' bytes is said and left out; only an abort and a failing disk throw.

import { AthanorError, ConfigError, FormatError, InterruptedError } from '../../base/errors.ts';
import { storageError } from '../../base/durable.ts';
import { groupOf, utf8Bytes, type Document } from '../document.ts';
import { cutPoint } from '../read.ts';
import type { SourceContext } from '../source-kind.ts';
import { throwIfAborted } from '../work.ts';
import { Content, type Input } from './content.ts';
import { openFile } from './file-input.ts';
import { Budget, RefusedError } from './limits.ts';
import type { ReadFileOptions } from './read-options.ts';
import type { Found, ReadContext } from './reader.ts';
import { readerFor, READERS } from './readers/index.ts';

/** System errors that say something of the one file, not of the disk. */
const OF_THE_FILE = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'ENOTDIR', 'ENXIO', 'ENODEV', 'ESTALE']);

/**
 * The documents of a file on disk.
 *
 * @param file path below the source
 * @throws {InterruptedError} when the signal aborts; {@link StorageError} if the disk fails; {@link FormatError} if something is bad and `strict`
 */
export async function* readFileDocuments(absolute: string, file: string, options: ReadFileOptions, source: SourceContext): AsyncGenerator<Document> {
  let opened;
  try {
    opened = await openFile(absolute, file);
  } catch (error) {
    return fault(error, file, undefined, options, source);
  }
  try {
    yield* readInputDocuments(opened.input, options, source, absolute);
    const changed = await opened.changed();
    if (changed !== undefined) {
      source.count('files.changed');
      if (options.strict) throw new FormatError(`"${file}" changed: ${changed}.`, { path: file });
      source.skip({ file, bytes: 0 }, 'changed', `${changed}; what was read is kept.`);
    }
  } finally {
    await opened.close();
  }
}

/** The documents of an input of any kind. @throws as {@link readFileDocuments} */
export async function* readInputDocuments(input: Input, options: ReadFileOptions, source: SourceContext, absolute = input.file): AsyncGenerator<Document> {
  for await (const found of readFound(input, options, source)) {
    throwIfAborted(source.signal, 'read');
    yield* toDocuments(found, options, source, absolute);
  }
}

/** What is found in an input, before it is cut and named. */
export function readFound(input: Input, options: ReadFileOptions, source: SourceContext): AsyncGenerator<Found> {
  const budget = new Budget(options.limits, input.bytes ?? input.random?.byteLength ?? 2 ** 20);
  return readAt(input, { source, options, budget }, 0);
}

async function* readAt(input: Input, shared: Pick<ReadContext, 'source' | 'options' | 'budget'>, depth: number): AsyncGenerator<Found> {
  const { source, options, budget } = shared;
  let content: Content | undefined;
  try {
    if (depth > budget.limits.depth) throw new RefusedError('too-deep', `It lies ${depth} archives deep, and ${budget.limits.depth} is the most.`);
    throwIfAborted(source.signal, 'read');
    content = await Content.open(input);
    if (content.head.length === 0) throw new RefusedError('empty', 'It has no bytes.');
    const reader = options.format !== undefined && depth === 0 ? named(options.format) : readerFor(content);
    if (reader === undefined) throw new RefusedError('unknown-format', 'Its bytes are no text, and no format that is read.');
    source.count(`format.${reader.name}`);
    const context: ReadContext = {
      ...shared,
      depth,
      bad: (place, reason, detail) => {
        if (options.strict) throw new FormatError(`Stopped at "${place.file}"${place.record === undefined ? '' : `, record ${place.record}`} (${reason}): ${detail}`, { path: place.file });
        if (place.record !== undefined) source.count('rows.bad');
        source.skip(place, reason, detail);
      },
      descend: (inner) => readAt(inner, shared, depth + 1),
    };
    yield* reader.read(content, context);
  } catch (error) {
    fault(error, input.file, input.bytes, options, source, depth);
  } finally {
    await content?.close().catch(() => undefined);
  }
}

function named(format: string): (typeof READERS)[number] {
  const reader = READERS.find(({ name }) => name === format);
  if (reader === undefined) throw new ConfigError(`Unknown format "${format}": the formats are ${READERS.map(({ name }) => name).join(', ')}.`, { path: 'format' });
  return reader;
}

/** Says what went wrong with a file, or throws if it is not the file's fault. */
function fault(error: unknown, file: string, bytes: number | undefined, options: ReadFileOptions, source: SourceContext, depth = 0): void {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof InterruptedError || error instanceof ConfigError) throw error;
  // A bomb ends its whole file: each archive around it passes the error on.
  if (error instanceof RefusedError && error.reason === 'bomb' && depth > 0) throw error;
  const isSystem = !(error instanceof AthanorError) && typeof code === 'string' && 'syscall' in (error as object);
  if (isSystem && !OF_THE_FILE.has(code)) throw storageError('read', file, error);
  if (options.strict && error instanceof FormatError && error.message.startsWith('Stopped at')) throw error;
  const reason = isSystem ? 'unreadable' : error instanceof RefusedError ? error.reason : error instanceof FormatError && /column/.test(message) ? 'no-text-column' : 'damaged';
  if (options.strict) throw new FormatError(`Stopped at "${file}" (${reason}): ${message}`, { path: file, offset: 0, cause: error });
  source.skip({ file, ...(bytes === undefined ? {} : { bytes }) }, reason, isSystem ? code : message);
}

/** Names a text, and cuts it where it is too long. */
function* toDocuments(found: Found, options: ReadFileOptions, source: SourceContext, absolute: string): Generator<Document> {
  const path = `${source.name}/${found.file}`, base = found.record === undefined ? path : `${path}#${found.record}`, url = found.meta?.['url'];
  const group = found.record === undefined ? groupOf(found.file.includes('!') ? path : absolute, path) : hostOf(url) ?? base;
  const origin = { source: source.name, file: found.file, ...(found.record === undefined ? {} : { record: found.record }), ...(found.sha256 === undefined ? {} : { sha256: found.sha256 }) };
  const rest = { path, group, origin, ...(found.licence === undefined ? {} : { licence: found.licence }), ...(found.meta === undefined || Object.keys(found.meta).length === 0 ? {} : { meta: found.meta }) };
  let text = found.text, part = found.part ?? 0;
  const isCut = found.part !== undefined || text.length > options.pieceChars, mark = found.record === undefined ? '#' : '.';
  for (;;) {
    const piece = text.length > options.pieceChars ? text.slice(0, cutPoint(text, options.pieceChars)) : text;
    // The first piece has no number of its own: the number counts the pieces before it.
    yield { id: isCut ? `${base}${mark}${part + 1}` : base, text: piece, bytes: utf8Bytes(piece), ...rest };
    text = text.slice(piece.length);
    part++;
    if (text === '') return;
  }
}

/** The host of a page: its pages stay on one side of a split. */
function hostOf(url: unknown): string | undefined {
  try {
    return typeof url === 'string' ? new URL(url).host || undefined : undefined;
  } catch {
    return undefined;
  }
}
