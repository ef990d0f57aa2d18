// zip archives; books and office documents among them go to their own readers. Layer: data.
// See PKWARE's APPNOTE 6.3.10. The directory at the end is what counts, as for every unpacker.

import type { Readable } from 'node:stream';
import { fromRandomAccessReader, getFileNameLowLevel, RandomAccessReader, type Entry, type ZipFile } from 'yauzl';
import { Readable as Stream } from 'node:stream';
import { detectEncoding, StreamDecoder } from '../../encoding.ts';
import type { Content, RandomAccess } from '../content.ts';
import { memberPath, RefusedError } from '../limits.ts';
import type { Found, ReadContext, Reader } from '../reader.ts';

const CHUNK_BYTES = 2 ** 18;

export const zip: Reader = {
  name: 'zip',
  about: 'zip archives',
  endings: ['zip', 'jar', 'whl'],
  types: ['application/zip', 'application/x-zip-compressed'],
  matches: (head) => head[0] === 0x50 && head[1] === 0x4b && ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6)),
  read: readZip,
};

async function* readZip(content: Content, context: ReadContext): AsyncGenerator<Found> {
  const archive = await openZip(await content.random(context.budget.limits.heldBytes));
  try {
    for await (const entry of archive.entries()) {
      context.budget.member();
      if (entry.name.endsWith('/')) continue;
      const path = memberPath(entry.name), file = `${content.file}!${path ?? entry.name}`;
      if (path === undefined) context.bad({ file, bytes: entry.bytes }, 'unsafe-path', `"${entry.name}" leaves the archive.`);
      else if (entry.isEncrypted) context.bad({ file, bytes: entry.bytes }, 'encrypted', 'It is encrypted.');
      else yield* context.descend({ file, name: path, bytes: entry.bytes, stream: () => entry.stream((bytes) => context.budget.expand(bytes)) });
    }
  } finally {
    archive.close();
  }
}

/** A member of a zip archive. */
export type ZipMember = {
  readonly name: string;
  /** As the directory says. */
  readonly bytes: number;
  readonly isEncrypted: boolean;
  /** @param expanded told of bytes as they come out; may throw */
  stream(expanded: (bytes: number) => void): AsyncIterable<Buffer>;
};

/** A zip archive that is open. */
export type ZipArchive = { entries(): AsyncIterable<ZipMember>; close(): void };

class AccessReader extends RandomAccessReader {
  readonly #access: RandomAccess;

  constructor(access: RandomAccess) {
    super();
    this.#access = access;
  }

  // Named by yauzl.
  override _readStreamForRange(start: number, end: number): Readable {
    return Stream.from(ranges(this.#access, start, end), { objectMode: false });
  }
}

async function* ranges(access: RandomAccess, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; at += CHUNK_BYTES) yield await access.slice(at, Math.min(end, at + CHUNK_BYTES));
}

/** Reads the directory. @throws {RefusedError} if there is none */
export async function openZip(access: RandomAccess): Promise<ZipArchive> {
  const zip = await new Promise<ZipFile>((resolve, reject) =>
    fromRandomAccessReader(new AccessReader(access), access.byteLength, { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true }, (error, zip) => {
      if (error) reject(damaged(error));
      else resolve(zip);
    })
  );
  return { entries: () => entriesOf(zip), close: () => zip.close() };
}

const damaged = (error: Error): Error => (error instanceof RefusedError ? error : new RefusedError('damaged', `The zip archive is damaged: ${error.message}.`));

async function* entriesOf(zip: ZipFile): AsyncGenerator<ZipMember> {
  for (;;) {
    const entry = await nextEntry(zip);
    if (entry === undefined) return;
    yield {
      name: nameOf(entry),
      bytes: entry.uncompressedSize,
      isEncrypted: (entry.generalPurposeBitFlag & 1) !== 0,
      stream: (expanded) => members(zip, entry, expanded),
    };
  }
}

function nextEntry(zip: ZipFile): Promise<Entry | undefined> {
  return new Promise((resolve, reject) => {
    const done = (): void => void zip.off('entry', onEntry).off('end', onEnd).off('error', onError);
    const onEntry = (entry: Entry): void => {
      done();
      resolve(entry);
    };
    const onEnd = (): void => {
      done();
      resolve(undefined);
    };
    const onError = (error: Error): void => {
      done();
      reject(damaged(error));
    };
    zip.on('entry', onEntry).on('end', onEnd).on('error', onError);
    zip.readEntry();
  });
}

async function* members(zip: ZipFile, entry: Entry, expanded: (bytes: number) => void): AsyncGenerator<Buffer> {
  const stream = await new Promise<Readable>((resolve, reject) => zip.openReadStream(entry, (error, stream) => (error ? reject(damaged(error)) : resolve(stream))));
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      expanded(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw damaged(error as Error);
  } finally {
    stream.destroy();
  }
}

/** UTF-8 where it is said or true, else as old archivers wrote it: code page 437, or GBK on Chinese machines. */
function nameOf(entry: Entry): string {
  const raw = entry.fileName as unknown as Buffer, isUtf8 = (entry.generalPurposeBitFlag & 0x800) !== 0, encoding = detectEncoding(raw);
  if (!isUtf8 && ['gb18030', 'big5', 'shift_jis', 'euc-kr', 'utf-8'].includes(encoding)) {
    const decoder = new StreamDecoder(encoding);
    return decoder.write(raw) + decoder.end();
  }
  return getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields ?? [], false);
}
