// A hub on loopback, faithful where downloads depend on it: revisions and commits, the tree with Git's and LFS's hashes,
// redirects of large files to another host with signed addresses, ranges, tags and headers; and everything that goes wrong.
// After huggingface.co's HTTP API as @huggingface/hub and huggingface_hub 1.x use it.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Request {
  readonly host: 'hub' | 'store';
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What goes wrong with the next answers for a file's content. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'cut'; readonly after: number }
  | { readonly kind: 'wrong bytes' | 'no ranges' | 'too long' | 'endless redirect' | 'insecure redirect' | 'hang' };

export class LoopbackHub {
  readonly requests: Request[] = [];
  readonly faults: Fault[] = [];
  readonly apiFaults: number[] = [];
  /** Repositories by name, files by path. */
  readonly repositories = new Map<string, Map<string, Buffer>>();
  token: string | undefined;
  /** What the tree says of a file instead of the truth. */
  lies = new Map<string, object>();
  #hub!: Server;
  #store!: Server;

  static async start(): Promise<LoopbackHub> {
    const it = new LoopbackHub(), listen = (server: Server): Promise<Server> => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    it.#hub = await listen(createServer((request, response) => it.#answer(request, response)));
    it.#store = await listen(createServer((request, response) => it.#serveStore(request, response)));
    return it;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  get #storeAddress(): string {
    return `http://127.0.0.1:${(this.#store.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  add(name: string, files: Readonly<Record<string, string | Buffer>>): void {
    this.repositories.set(name, new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])));
  }

  /** The commit of a repository as it is. */
  commitOf(name: string): string {
    const hash = createHash('sha1');
    for (const [path, content] of this.repositories.get(name)!) hash.update(path).update(content);
    return hash.digest('hex');
  }

  #log(host: Request['host'], { url, headers }: IncomingMessage): void {
    this.requests.push({ host, url: url!, range: headers.range, authorization: headers.authorization });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#log('hub', request);
    const { pathname } = new URL(request.url!, this.endpoint), json = (status: number, value: object): void => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const fault = pathname.startsWith('/api/') ? this.apiFaults.shift() : undefined;
    if (fault !== undefined) return json(fault, { error: 'a fault' });
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) return json(401, { error: 'Access to model is restricted' });
    const info = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname), resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const name = info?.[1] ?? resolve?.[1] ?? '', revision = info?.[3] ?? resolve?.[2] ?? '', files = this.repositories.get(name);
    if (files === undefined || ![this.commitOf(name), 'main', 'v1'].includes(decodeURIComponent(revision))) return json(404, { error: 'Repository not found' });
    if (info?.[2] === 'revision') return json(200, { id: name, modelId: name, sha: this.commitOf(name), private: false, gated: false, downloads: 1, likes: 0, lastModified: '2026-01-01T00:00:00.000Z' });
    if (info?.[2] === 'tree') return json(200, [...files].map(([path, content]) => ({ ...treeEntry(path, content), ...this.lies.get(path) })));
    const path = decodeURIComponent(resolve![3]!), content = files.get(path);
    if (content === undefined) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    const head = { 'x-repo-commit': this.commitOf(name), 'accept-ranges': 'bytes', etag: `"${gitHash(content)}"` };
    if (!isLarge(path)) return this.#content(request, response, content, head);
    const [next] = this.faults;
    const location = next?.kind === 'endless redirect' ? request.url! : next?.kind === 'insecure redirect' ? 'ftp://127.0.0.1/x' : `${this.#storeAddress}/${name}/${path}?signature=secret`;
    response.writeHead(302, { ...head, location, 'x-linked-size': String(content.length), 'x-linked-etag': `"${sha256(content)}"` }).end();
  }

  #serveStore(request: IncomingMessage, response: ServerResponse): void {
    this.#log('store', request);
    const [owner, repository, path] = new URL(request.url!, this.#storeAddress).pathname.slice(1).split('/') as [string, string, string];
    this.#content(request, response, this.repositories.get(`${owner}/${repository}`)!.get(path)!, { etag: '"s3"' });
  }

  #content(request: IncomingMessage, response: ServerResponse, content: Buffer, head: Record<string, string>): void {
    const fault = this.faults.shift(), range = fault?.kind === 'no ranges' ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'status') return void response.writeHead(fault.status, { 'retry-after': '0' }).end();
    const from = range === null ? 0 : Number(range[1]);
    if (from >= content.length && range !== null) return void response.writeHead(416).end();
    let body = content.subarray(from);
    if (fault?.kind === 'wrong bytes') body = Buffer.from(body.map((byte) => byte ^ 1));
    if (fault?.kind === 'too long') body = Buffer.concat([body, Buffer.from('more')]);
    response.writeHead(range === null ? 200 : 206, { ...head, 'content-length': String(body.length), ...(range === null ? {} : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }) });
    if (fault?.kind === 'cut') response.write(body.subarray(0, fault.after), () => setTimeout(() => response.destroy(), 30));
    else response.end(body);
  }
}

const isLarge = (path: string): boolean => /\.(safetensors|gguf|bin)$/.test(path);
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const gitHash = (content: Buffer): string => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

function treeEntry(path: string, content: Buffer): object {
  if (!isLarge(path)) return { type: 'file', path, size: content.length, oid: gitHash(content) };
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`);
  return { type: 'file', path, size: content.length, oid: gitHash(pointer), lfs: { oid: sha256(content), size: content.length, pointerSize: pointer.length } };
}
