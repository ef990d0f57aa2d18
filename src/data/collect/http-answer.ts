// An HTTP answer as a crawl stored it: head, and body with its transfer and content encodings undone. Layer: data.
// See RFC 9112 (chunked, 7.1). Crawlers store bodies as they came, or decoded with the headers left as they were: what
// does not decode is taken as it is.

import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, type ZlibOptions } from 'node:zlib';
import { RefusedError, type Budget } from './limits.ts';

/** A stored answer. `type` is its media type, charset included. */
export type HttpAnswer = { status: number; type: string; body: Buffer };

const MAX_BODY_BYTES = 2 ** 26;

/**
 * Takes a stored answer apart.
 *
 * @throws {RefusedError} `damaged` if it is none, `too-large` if its body grows too much
 */
export function parseHttpAnswer(block: Buffer, budget: Budget): HttpAnswer {
  const [end, separator] = headEnd(block), [first = '', ...lines] = block.toString('latin1', 0, end).split(/\r?\n/);
  const status = Number(/^HTTP\/\d(?:\.\d)? +(\d{3})/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new RefusedError('damaged', `The record is no HTTP answer: it begins with "${first.slice(0, 40)}".`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  let body = block.subarray(end + separator);
  if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) body = dechunked(body) ?? body;
  for (const coding of (headers.get('content-encoding') ?? '').toLowerCase().split(',').map((name) => name.trim()).reverse().slice(0, 3)) body = decoded(body, coding, budget);
  return { status, type: headers.get('content-type') ?? '', body };
}

function headEnd(block: Buffer): [end: number, separator: number] {
  const full = block.indexOf('\r\n\r\n'), bare = block.indexOf('\n\n');
  if (full >= 0 && (bare < 0 || full < bare)) return [full, 4];
  return bare >= 0 ? [bare, 2] : [block.length, 0];
}

/** A chunked body put together; undefined if it is none. */
function dechunked(body: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0;;) {
    const end = body.indexOf('\r\n', at), size = /^([0-9a-f]{1,8})\s*(;.*)?$/i.exec(body.toString('latin1', at, end < 0 ? at : Math.min(end, at + 1024)))?.[1];
    if (size === undefined) return parts.length === 0 ? undefined : Buffer.concat(parts); // it was cut
    const length = Number.parseInt(size, 16);
    if (length === 0) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}

function decoded(body: Buffer, coding: string, budget: Budget): Buffer {
  // A crawl cuts long answers: what there is of a stream is taken.
  const options: ZlibOptions = { maxOutputLength: MAX_BODY_BYTES, finishFlush: 2 };
  try {
    const bytes = coding === 'gzip' || coding === 'x-gzip' ? gunzipSync(body, options) : coding === 'deflate' ? inflated(body, options) : coding === 'br' ? brotliDecompressSync(body, { maxOutputLength: MAX_BODY_BYTES, finishFlush: 1 }) : body;
    if (bytes !== body) budget.expand(bytes.length);
    return bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new RefusedError('too-large', `A body of ${body.length} bytes grows to more than ${MAX_BODY_BYTES}.`);
    if (error instanceof RefusedError) throw error;
    return body;
  }
}

/** `deflate` is zlib's form, and some servers' raw form. */
function inflated(body: Buffer, options: ZlibOptions): Buffer {
  try {
    return inflateSync(body, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw error;
    return inflateRawSync(body, options);
  }
}
