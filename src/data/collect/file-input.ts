// A file on disk as an input, and whether it stayed the same while it was read. Layer: data (file access).

import { open, type FileHandle } from 'node:fs/promises';
import { RefusedError } from './limits.ts';
import type { Input } from './content.ts';

const CHUNK_BYTES = 2 ** 18;

/** A file that is open. */
export type OpenFile = {
  readonly input: Input;
  /** What changed since it was opened, in words; undefined if nothing did. */
  changed(): Promise<string | undefined>;
  close(): Promise<void>;
};

/**
 * Opens a file.
 *
 * @param file as in Origin
 * @throws {RefusedError} `not-a-file` for folders, pipes and devices; the system's error if it cannot be opened
 */
export async function openFile(absolute: string, file: string): Promise<OpenFile> {
  const handle = await open(absolute, 'r'), before = await handle.stat();
  if (!before.isFile()) {
    await handle.close();
    throw new RefusedError('not-a-file', `"${absolute}" is no regular file.`);
  }
  const slice = (start: number, end: number): Promise<Buffer> => readExactly(handle, start, end);
  return {
    input: { file, name: file, bytes: before.size, random: { byteLength: before.size, slice }, stream: () => readAll(handle) },
    changed: async () => {
      const after = await handle.stat();
      if (after.size !== before.size) return `it had ${before.size} bytes when it was opened and ${after.size} when it was read`;
      return after.mtimeMs === before.mtimeMs ? undefined : 'it was written to while it was read';
    },
    close: () => handle.close(),
  };
}

async function* readAll(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0;;) {
    // A new buffer each time: decompressors keep what they were given until they get to it.
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function readExactly(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  if (!(start >= 0 && end >= start)) throw new RefusedError('damaged', `Bytes ${start} to ${end} cannot be.`);
  const size = (await handle.stat()).size;
  if (end > size) throw new RefusedError('truncated', `Bytes ${start} to ${end} are wanted, and there are ${size}.`);
  const buffer = Buffer.allocUnsafe(end - start);
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, start + done);
    if (bytesRead === 0) throw new RefusedError('truncated', `The file ended at byte ${start + done}.`);
    done += bytesRead;
  }
  return buffer;
}
