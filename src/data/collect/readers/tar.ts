// tar archives: ustar, pax and GNU names. Layer: data. See POSIX.1-2017, pax, "ustar Interchange Format".

import { ByteReader } from '../byte-reader.ts';
import { memberPath, RefusedError } from '../limits.ts';
import type { Found, ReadContext, Reader } from '../reader.ts';
import type { Content } from '../content.ts';

const BLOCK = 512;
/** Extended headers hold names; more is no name. */
const MAX_EXTENDED_BYTES = 2 ** 20;

export const tar: Reader = {
  name: 'tar',
  about: 'tar archives',
  endings: ['tar'],
  types: ['application/x-tar'],
  matches: (head) => head.length >= BLOCK && checksumHolds(head),
  read: readTar,
};

type Names = { path?: string | undefined; size?: number | undefined };

async function* readTar(content: Content, context: ReadContext): AsyncGenerator<Found> {
  const reader = new ByteReader(content.chunks());
  let names: Names = {};
  for (;;) {
    const header = await reader.upTo(BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (header.length < BLOCK) throw new RefusedError('truncated', `A header ends at byte ${reader.offset}.`);
    if (!checksumHolds(header)) throw new RefusedError('damaged', `No header stands at byte ${reader.offset - BLOCK}.`);
    const kind = String.fromCharCode(header[156]!), size = names.size ?? numberAt(header, 124, 12), padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (kind === 'x' || kind === 'L' || kind === 'g' || kind === 'K') {
      if (size > MAX_EXTENDED_BYTES) throw new RefusedError('damaged', `A header of ${size} bytes at byte ${reader.offset}.`);
      const bytes = await reader.exactly(size);
      await reader.skip(padding);
      if (kind === 'x') names = { ...names, ...paxNames(bytes) };
      else if (kind === 'L') names = { ...names, path: cString(bytes) };
      continue;
    }
    const name = names.path ?? ownName(header), path = memberPath(name);
    names = {};
    context.budget.member();
    const after = reader.offset + size, isFile = kind === '0' || kind === '\0' || kind === '7';
    if (isFile && path === undefined) context.bad({ file: `${content.file}!${name}`, bytes: size }, 'unsafe-path', `"${name}" leaves the archive.`);
    else if (isFile && path !== undefined) yield* context.descend({ file: `${content.file}!${path}`, name: path, bytes: size, stream: () => reader.stream(size) });
    else if (kind !== '5') context.source.count(`archive.${kind === '2' || kind === '1' ? 'links' : 'special'}`);
    await reader.skip(after - reader.offset + padding);
  }
  await reader.drain();
}

/** The checksum of a header: the sum of its bytes with its own field as spaces. */
function checksumHolds(header: Buffer): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
  return sum === numberAt(header, 148, 8) && header[0] !== 0;
}

/** Octal text, or GNU's big-endian form for large numbers. */
function numberAt(header: Buffer, at: number, length: number): number {
  if ((header[at]! & 0x80) !== 0) return header.readUIntBE(at + length - 6, 6);
  const text = header.toString('latin1', at, at + length).replace(/[\0 ]+$/, '').trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : text === '' ? 0 : Number.NaN;
}

const cString = (bytes: Buffer): string => bytes.toString('utf8', 0, bytes.includes(0) ? bytes.indexOf(0) : bytes.length);

function ownName(header: Buffer): string {
  const name = cString(header.subarray(0, 100)), prefix = header.toString('latin1', 257, 262) === 'ustar' ? cString(header.subarray(345, 500)) : '';
  return prefix === '' || header.toString('latin1', 257, 265) === 'ustar  \0' ? name : `${prefix}/${name}`;
}

/** Records `LENGTH key=value\n` of a pax header. */
function paxNames(bytes: Buffer): Names {
  const names: Names = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at), length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !(length > 0) || at + length > bytes.length) break;
    const [, key, value] = /^([^=]+)=([^]*)\n$/.exec(bytes.toString('utf8', space + 1, at + length)) ?? [];
    if (key === 'path') names.path = value;
    if (key === 'size' && /^\d{1,15}$/.test(value ?? '')) names.size = Number(value);
    at += length;
  }
  return names;
}
