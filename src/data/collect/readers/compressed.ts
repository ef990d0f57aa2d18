// Compressed streams: what is inside is read as if it lay there, under the name without the ending. Layer: data.
// gzip's members one after another are one stream (RFC 1952, 2.2), as in WARC files.

import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { RefusedError } from '../limits.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { unbzip2 } from '../unbzip2.ts';

type Decoder = (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/** Larger pieces than zlib's 16 KiB: fewer turns of the loop. */
const CHUNK_BYTES = 2 ** 18;
const STEP_BYTES = 2 ** 12;

function compression(name: string, about: string, endings: readonly string[], magic: readonly number[], types: readonly string[], decode: Decoder): Reader {
  return {
    name,
    about,
    endings,
    types,
    matches: (head) => magic.every((byte, i) => head[i] === byte),
    read: (content, context) =>
      context.descend({
        file: content.file,
        name: innerName(content.name, endings),
        stream: () => counted(decode(content.chunks()), context),
        outer: content,
      }),
  };
}

/** `a.txt.gz` is `a.txt`, `a.tgz` is `a.tar`. */
function innerName(name: string, endings: readonly string[]): string {
  const ending = endings.find((ending) => name.toLowerCase().endsWith(`.${ending}`));
  if (ending === undefined) return name;
  return name.slice(0, -ending.length - 1) + (/^t(gz|zst|bz2?)$/.test(ending) ? '.tar' : '');
}

async function* counted(chunks: AsyncIterable<Buffer>, { budget }: ReadContext): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    budget.expand(chunk.length);
    yield chunk;
  }
}

async function* throughZlib(chunks: AsyncIterable<Buffer>, transform: zlib.Gunzip): AsyncGenerator<Buffer> {
  const source = Readable.from(chunks, { objectMode: false });
  source.on('error', (error) => transform.destroy(error));
  source.pipe(transform);
  try {
    for await (const chunk of transform as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw new RefusedError('truncated', 'The compressed stream ends early.');
    throw code?.startsWith('Z_') || code?.startsWith('ZSTD') ? new RefusedError('damaged', `The compressed stream is damaged: ${message}.`) : error;
  } finally {
    transform.destroy();
    source.destroy();
  }
}

/** Node.js has Zstandard from 22.15 on; before, it is done here. */
function unzstd(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const native = (zlib as unknown as { createZstdDecompress?: (options: object) => zlib.Gunzip }).createZstdDecompress;
  return native === undefined ? withFzstd(chunks) : throughZlib(chunks, native({ chunkSize: CHUNK_BYTES }));
}

async function* withFzstd(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [], last: Buffer | undefined;
  const decoder = new Decompress((part) => void (part.length > 0 && ready.push(Buffer.from(part))));
  const push = (part: Buffer, isLast: boolean): void => {
    try {
      decoder.push(part, isLast);
    } catch (error) {
      const { message } = error as Error;
      throw new RefusedError(/EOF/i.test(message) ? 'truncated' : 'damaged', `The compressed stream is damaged: ${message}.`);
    }
  };
  for await (const chunk of chunks) {
    // In small steps: a block of a few bytes may become 128 KiB, and what comes out of a step is held. The last step is
    // told that it is, so each waits for the next.
    for (let at = 0; at < chunk.length; at += STEP_BYTES) {
      if (last !== undefined) push(last, false);
      last = chunk.subarray(at, at + STEP_BYTES);
      yield* ready;
      ready = [];
    }
  }
  push(last ?? Buffer.alloc(0), true);
  yield* ready;
}

export const gzip = compression('gzip', 'gzip', ['gz', 'gzip', 'tgz'], [0x1f, 0x8b, 8], ['application/gzip', 'application/x-gzip'], (chunks) => throughZlib(chunks, zlib.createGunzip({ chunkSize: CHUNK_BYTES })));
export const zstd = compression('zstd', 'Zstandard', ['zst', 'zstd', 'tzst'], [0x28, 0xb5, 0x2f, 0xfd], ['application/zstd'], unzstd);
export const bzip2 = compression('bzip2', 'bzip2, many streams in one file too', ['bz2', 'bz', 'tbz2', 'tbz'], [0x42, 0x5a, 0x68], ['application/x-bzip2'], unbzip2);
