// The body of a request, within bounds. Layer: serve.

import { parseJsonBody } from './body.ts';
import type { ServerContext } from './context.ts';
import { RequestFault } from './fault.ts';

/**
 * The JSON of a body, whatever type it claims to be: curl says of its own that it sends a form.
 *
 * @throws {RequestFault} too-large, invalid, media-type for a page's forms and for compressed bodies
 */
export async function readBody(c: ServerContext, maxBytes: number): Promise<unknown> {
  const type = c.req.header('content-type') ?? '';
  // These three a browser sends for a page without asking first; the check of Origin stands before this already.
  if (c.req.header('origin') !== undefined && /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)/i.test(type)) throw new RequestFault('media-type', `Cannot read a body of type "${type.slice(0, 60)}": send application/json.`);
  const encoding = c.req.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') throw new RequestFault('media-type', 'Cannot read a compressed body: send it as it is.');
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of c.env.incoming as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    parts.push(part);
  }
  return parseJsonBody(Buffer.concat(parts));
}

function tooLarge(maxBytes: number): RequestFault {
  return new RequestFault('too-large', `Cannot read the request: its body has more than ${maxBytes} bytes.`);
}
