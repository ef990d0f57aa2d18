// Requests as bytes, for what no client library sends.

import { connect } from 'node:net';
import { request, type IncomingHttpHeaders } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: any;
}

/** One request, whole. `headers` may say anything, Host included. */
export function ask(url: string, options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; signal?: AbortSignal } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: options.method ?? (options.body === undefined ? 'GET' : 'POST'), headers: { 'content-type': 'application/json', ...options.headers }, agent: false, ...(options.signal === undefined ? {} : { signal: options.signal }) }, (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part)).on('error', reject).on('end', () => {
        const text = Buffer.concat(parts).toString();
        let json: unknown;
        try {
          json = JSON.parse(text);
        } catch {
          json = undefined;
        }
        resolve({ status: reply.statusCode!, headers: reply.headers, text, json });
      });
    });
    sent.on('error', reject).end(options.body);
  });
}

/** Opens a socket, sends a request, and hands over control. */
export function rawSocket(port: number, path: string, body: object, headers: Record<string, string> = {}) {
  const socket = connect(port, '127.0.0.1'), text = JSON.stringify(body);
  socket.write(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`);
  return socket;
}

/** Waits until something holds; fails after five seconds. */
export async function until(holds: () => boolean | undefined): Promise<void> {
  const end = Date.now() + 5000;
  while (holds() !== true) {
    if (Date.now() > end) throw new Error('It did not come true within five seconds.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
