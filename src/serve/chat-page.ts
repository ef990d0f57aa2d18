// The chat page: files that the build made, read at the start, and nothing else. Layer: serve.

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Route } from './context.ts';
import { RequestFault } from './fault.ts';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

/** Only its own scripts and styles, only this server, in no frame. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** dist/studio, seen from src/serve and from dist/serve alike. */
const FOLDER = fileURLToPath(new URL('../../dist/studio', import.meta.url));

/** Files by their path. */
export type Page = ReadonlyMap<string, { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }>;

/** The page's files; none where it was not built. */
export function loadPage(folder = FOLDER): Page {
  const files = new Map<string, { type: string; bytes: Uint8Array<ArrayBuffer> }>();
  let names: string[] = [];
  try {
    names = readdirSync(folder, { recursive: true }) as string[];
  } catch {
    return files;
  }
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type !== undefined) files.set(`/${name.split(sep).join('/')}`, { type, bytes: new Uint8Array(readFileSync(join(folder, name))) });
  }
  return files;
}

/** A route for each file; the page itself is at `/`. */
export function pageRoutes(page: Page): Route[] {
  const index: Route = {
    method: 'GET',
    path: '/',
    scope: null,
    summary: 'The chat page',
    protocol: 'athanor',
    handle(c) {
      const file = page.get('/index.html');
      if (file === undefined) throw new RequestFault('unknown-route', 'Cannot show the chat page: it was not built. Run `npm run build`, or use the API.');
      return c.body(file.bytes, 200, { 'content-type': file.type, 'content-security-policy': POLICY, 'cache-control': 'no-cache' });
    },
  };
  const assets = [...page].filter(([path]) => path !== '/index.html').map(([path, { type, bytes }]): Route => ({
    method: 'GET',
    path,
    scope: null,
    summary: 'A file of the chat page',
    protocol: 'athanor',
    // The build puts a hash of the content into the name.
    handle: (c) => c.body(bytes, 200, { 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' }),
  }));
  return [index, ...assets];
}
