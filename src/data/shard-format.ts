// The token shard file: header, tokens, document table. Layer: data (pure but for the checksums of node:crypto, node:zlib).
//
// All numbers little-endian. Version 1:
//   offset  size  field
//        0     8  magic "ATHSHARD"
//        8     4  u32 version
//       12     4  u32 bytes a token: 2 (ids below 65,536) or 4
//       16     8  u64 number of tokens, T
//       24     8  u64 number of documents that begin in this shard, D
//       32     4  u32 id that stands before every document (end of text), 0xffffffff where there is none
//       36     4  u32 largest id in the shard: checked against the model's vocabulary before training
//       40    32  SHA-256 of everything after the header
//       72    32  hash of the tokenizer (SHA-256), zeros where unknown
//      104    20  zeros
//      124     4  u32 CRC-32 of bytes 0 … 123
//      128        T tokens (u16 or u32), zeros up to a multiple of 4, then D times u32: index of a document's first token
// A document longer than a shard goes on in the next one, whose table does not list it again.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ConfigError, FormatError } from '../base/errors.ts';

export const SHARD_VERSION = 1;
export const SHARD_HEADER_BYTES = 128;
const MAGIC = 'ATHSHARD';
const NO_TOKEN = 0xffffffff;
const CRC_OFFSET = 124;

/** The tokens of a shard: 2 bytes each where all ids are below 65,536. */
export type TokenArray = Uint16Array | Uint32Array;

/** What a shard's header says. */
export type ShardHeader = {
  bytesPerToken: 2 | 4;
  tokens: number;
  documents: number;
  /** Id that stands before every document; undefined where documents simply follow each other. */
  endOfText: number | undefined;
  maxToken: number;
  /** SHA-256 of the content, hexadecimal. */
  contentHash: string;
  /** SHA-256 of the tokenizer, hexadecimal; undefined where unknown. */
  tokenizerHash: string | undefined;
};

/** Bytes of the token part, padded so that the document table is aligned. */
function tokenBytes(tokens: number, bytesPerToken: number): number {
  return Math.ceil((tokens * bytesPerToken) / 4) * 4;
}

/** Size in bytes that a shard file with this header must have. */
export function shardBytes(header: ShardHeader): number {
  return documentTableOffset(header) + 4 * header.documents;
}

/** Where the document table begins in the file. */
export function documentTableOffset(header: ShardHeader): number {
  return SHARD_HEADER_BYTES + tokenBytes(header.tokens, header.bytesPerToken);
}

/** Tokens are written as they lie in memory, so a big-endian machine could neither write nor read them. */
export function assertLittleEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
    throw new ConfigError('Cannot use token shards on this machine: its byte order is big-endian, and shards are little-endian.');
  }
}

/** Checks a hash given by the caller. @throws {ConfigError} unless it is 64 hexadecimal digits */
export function assertHash(name: string, hash: string): void {
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw new ConfigError(`Cannot record ${name} "${hash}": a SHA-256 of 64 hexadecimal digits is needed.`);
  }
}

/**
 * Encodes a whole shard as chunks ready to be written.
 *
 * @param tokens the ids, [T]
 * @param documents index of each document's first token, [D], ascending
 */
export function encodeShard(
  tokens: TokenArray,
  documents: Uint32Array,
  fields: { endOfText: number | undefined; tokenizerHash: string | undefined },
): { header: ShardHeader; chunks: Uint8Array[] } {
  assertLittleEndian();
  let maxToken = 0;
  for (let i = 0; i < tokens.length; i++) if (tokens[i]! > maxToken) maxToken = tokens[i]!;
  const bytesPerToken = tokens.BYTES_PER_ELEMENT as 2 | 4;
  const padding = new Uint8Array(tokenBytes(tokens.length, bytesPerToken) - tokens.byteLength);
  const body = [
    new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength),
    padding,
    new Uint8Array(documents.buffer, documents.byteOffset, documents.byteLength),
  ];
  const hash = createHash('sha256');
  for (const part of body) hash.update(part);
  const header: ShardHeader = {
    bytesPerToken,
    tokens: tokens.length,
    documents: documents.length,
    maxToken,
    contentHash: hash.digest('hex'),
    ...fields,
  };
  return { header, chunks: [encodeHeader(header), ...body] };
}

function encodeHeader(header: ShardHeader): Uint8Array {
  const bytes = new Uint8Array(SHARD_HEADER_BYTES), view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(MAGIC, 'latin1'));
  view.setUint32(8, SHARD_VERSION, true);
  view.setUint32(12, header.bytesPerToken, true);
  view.setBigUint64(16, BigInt(header.tokens), true);
  view.setBigUint64(24, BigInt(header.documents), true);
  view.setUint32(32, header.endOfText ?? NO_TOKEN, true);
  view.setUint32(36, header.maxToken, true);
  bytes.set(Buffer.from(header.contentHash, 'hex'), 40);
  if (header.tokenizerHash !== undefined) bytes.set(Buffer.from(header.tokenizerHash, 'hex'), 72);
  view.setUint32(CRC_OFFSET, crc32(bytes.subarray(0, CRC_OFFSET)), true);
  return bytes;
}

/**
 * Decodes and checks a header.
 *
 * @param bytes the first 128 bytes of the file, or fewer if it has fewer
 * @throws {FormatError} with the offset of the first field that is wrong
 */
export function decodeHeader(bytes: Uint8Array, path: string): ShardHeader {
  const fail = (offset: number, state: string): FormatError =>
    new FormatError(
      `Cannot read the token shard "${path}": ${state} (at byte ${offset}). Build the data again, or restore the file from a copy.`,
      { path, offset },
    );
  if (bytes.length < SHARD_HEADER_BYTES) throw fail(bytes.length, `it ends after ${bytes.length} bytes, inside its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, SHARD_HEADER_BYTES);
  const magic = Buffer.from(bytes.subarray(0, MAGIC.length)).toString('latin1');
  if (magic !== MAGIC) throw fail(0, 'it does not begin with "ATHSHARD"');
  const version = view.getUint32(8, true);
  if (version !== SHARD_VERSION) throw fail(8, `its version is ${version}, and this program reads version ${SHARD_VERSION}`);
  if (view.getUint32(CRC_OFFSET, true) !== crc32(bytes.subarray(0, CRC_OFFSET))) throw fail(CRC_OFFSET, 'its header is damaged');
  const bytesPerToken = view.getUint32(12, true);
  if (bytesPerToken !== 2 && bytesPerToken !== 4) throw fail(12, `its tokens have ${bytesPerToken} bytes, not 2 or 4`);
  const endOfText = view.getUint32(32, true);
  const tokenizerHash = Buffer.from(bytes.subarray(72, 104)).toString('hex');
  return {
    bytesPerToken,
    tokens: Number(view.getBigUint64(16, true)),
    documents: Number(view.getBigUint64(24, true)),
    endOfText: endOfText === NO_TOKEN ? undefined : endOfText,
    maxToken: view.getUint32(36, true),
    contentHash: Buffer.from(bytes.subarray(40, 72)).toString('hex'),
    tokenizerHash: /^0+$/.test(tokenizerHash) ? undefined : tokenizerHash,
  };
}
