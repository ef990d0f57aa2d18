// The body of an HTTP answer with its content encodings undone, within limits. Layer: data (network).
// See RFC 9110, 8.4 (Content-Encoding); codings are listed in the order in which they were applied.

import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { CapacityError, ProtocolError } from '../../../base/errors.ts';

/** Pages reach 20:1, generated tables 100:1; a bomb passes 1000:1. */
const MAX_RATIO = 200;
/** Below so many bytes any ratio is harmless. */
const FREE_BYTES = 2 ** 20;
const MAX_CODINGS = 3;

/**
 * Decodes a body.
 *
 * @param encoding the header's value
 * @param limit of decoded bytes
 * @throws {ProtocolError} if the body ends early, is damaged or has a coding that is not known
 * @throws {CapacityError} over a limit
 */
export async function* decodedBody(wire: Readable, encoding: string, limit: number, address: string): AsyncGenerator<Buffer> {
  const codings = encoding.toLowerCase().split(',').map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity').reverse();
  if (codings.length > MAX_CODINGS) throw new ProtocolError(`Cannot read "${address}": it is encoded ${codings.length} times, and ${MAX_CODINGS} is the most.`);
  const decoders = codings.map((name) => decoderOf(name, address));
  let wireBytes = 0, decoded = 0;
  if (decoders.length > 0) wire.on('data', (part: Buffer) => void (wireBytes += part.length));
  const last = decoders.length === 0 ? wire : (pipeline([wire, ...decoders], () => undefined) as unknown as Readable);
  try {
    for await (const part of last as AsyncIterable<Buffer>) {
      decoded += part.length;
      if (decoded > limit) throw new CapacityError(`Cannot read "${address}": it passes the limit of ${limit} bytes.`, { need: decoded, have: limit });
      if (decoders.length > 0 && decoded > FREE_BYTES && decoded > MAX_RATIO * wireBytes) {
        throw new CapacityError(`Cannot read "${address}": ${wireBytes} bytes grew to ${decoded}, more than ${MAX_RATIO} times.`, { need: decoded, have: MAX_RATIO * wireBytes });
      }
      yield part;
    }
  } finally {
    for (const decoder of decoders) decoder.destroy();
    wire.destroy();
  }
}

function decoderOf(name: string, address: string): Transform {
  if (name === 'gzip' || name === 'x-gzip') return createGunzip();
  if (name === 'deflate') return createInflate();
  if (name === 'br') return createBrotliDecompress();
  throw new ProtocolError(`Cannot read "${address}": its encoding "${name}" is not known.`);
}
