// Fetching from strangers: one way for crawls, lists of addresses and stores. Layer: data (network).
// Each hop is checked: the scheme, and every address that the name resolves to, once; the connection then goes to an
// address that was checked, whatever the name's server says later (DNS rebinding). Redirects, bytes, ratio and time are
// bounded, and what is secret goes to the first origin alone. Proxies of the environment are not used: they resolve names
// themselves, and nothing here could be held.

import { lookup } from 'node:dns/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { AthanorError, InterruptedError, ProtocolError } from '../../../base/errors.ts';
import { AllowedHosts, whyNotPublic } from './address.ts';
import { decodedBody } from './decoded-body.ts';

export type ResolvedAddress = { readonly address: string; readonly family: number };

export type FetcherOptions = {
  /** Names, addresses and ranges beyond the public network that may be asked: `localhost`, `10.0.0.0/8`. */
  readonly allow?: readonly string[] | undefined;
  readonly userAgent?: string | undefined;
  readonly maxRedirects?: number | undefined;
  /** Of a body, decoded (default 64 MiB). */
  readonly maxBytes?: number | undefined;
  /** Until a body has ended, all hops included (default 120 s). */
  readonly timeoutMs?: number | undefined;
  /** Until the next byte (default 30 s). */
  readonly idleMs?: number | undefined;
  /** How names are resolved; for tests, and for networks with a resolver of their own. */
  readonly resolve?: ((host: string) => Promise<readonly ResolvedAddress[]>) | undefined;
  /** Certificates to trust beside the usual ones. */
  readonly ca?: string | undefined;
};

export type FetchRequest = {
  readonly method?: 'GET' | 'HEAD' | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly maxBytes?: number | undefined;
  /** Called before each hop, the first included; what it throws ends the request (robots.txt, a site's borders). */
  readonly beforeHop?: ((url: URL) => void | Promise<void>) | undefined;
};

export type Fetched = {
  /** Where the answer came from, after redirects; without user and password. */
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly redirects: number;
  /** The body with its content encodings undone; once. It must be read to the end or cancelled. */
  readonly body: AsyncIterable<Buffer>;
  /** All of the body. @throws as reading it does */
  bytes(): Promise<Buffer>;
  cancel(): void;
};

const DEFAULT_BYTES = 64 * 2 ** 20;
/** What may be secret: sent to the first origin alone. */
const SECRET = /^(authorization|cookie|proxy-authorization|x-amz-.*|.*(token|secret|api-?key).*)$/i;

/** Fetches with guards; keeps connections for its lifetime. */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #allowed: AllowedHosts;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: FetcherOptions = {}) {
    this.#options = options;
    this.#allowed = new AllowedHosts(options.allow ?? []);
    this.#http = new HttpAgent({ keepAlive: true, maxFreeSockets: 16 });
    this.#https = new HttpsAgent({ keepAlive: true, maxFreeSockets: 16, ...(options.ca === undefined ? {} : { ca: options.ca }) });
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  /**
   * Fetches an address; any status is an answer.
   *
   * @throws {ProtocolError} if a hop is refused, nothing answers, or redirects do not end
   * @throws {InterruptedError} when the signal aborts
   */
  async fetch(address: string, request: FetchRequest = {}): Promise<Fetched> {
    const { maxRedirects = 5, timeoutMs = 120_000 } = this.#options, deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new ProtocolError(`Cannot fetch "${shownUrl(address)}": it took more than ${timeoutMs / 1000} s.`)), timeoutMs);
    timer.unref();
    const stop = request.signal === undefined ? deadline.signal : AbortSignal.any([request.signal, deadline.signal]);
    const { url: first, authorization } = withoutUser(parseUrl(address));
    let url = first, headers: Record<string, string> = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
    try {
      for (let redirects = 0; redirects <= maxRedirects; redirects++) {
        await request.beforeHop?.(url);
        const answer = await this.#hop(url, headers, request.method ?? 'GET', stop);
        const location = answer.headers.location, status = answer.statusCode ?? 0;
        if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return this.#fetched(answer, url, redirects, request, stop, timer);
        answer.destroy();
        const next = withoutUser(parseUrl(location, url)).url;
        if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRET.test(name)));
        url = next;
      }
      throw new ProtocolError(`Cannot fetch "${shownUrl(address)}": it redirects more than ${maxRedirects} times.`);
    } catch (error) {
      clearTimeout(timer);
      throw reasonOf(error, address, request.signal, deadline.signal);
    }
  }

  /** The addresses of a host that may be asked. @throws {ProtocolError} if any is not public and not allowed */
  async #addresses(url: URL): Promise<readonly ResolvedAddress[]> {
    const host = url.hostname.replace(/^\[|\]$/g, ''), literal = isIP(host);
    const found = literal !== 0 ? [{ address: host, family: literal }] : await (this.#options.resolve ?? resolveName)(host);
    if (found.length === 0) throw new ProtocolError(`Cannot fetch "${shownUrl(url)}": the name "${host}" has no address.`);
    // One address that is refused refuses the name: mixing it with a public one is how rebinding begins.
    for (const { address } of found) {
      const why = this.#allowed.hasName(host) ? undefined : whyNotPublic(address);
      if (why !== undefined && !this.#allowed.hasAddress(address)) {
        throw new ProtocolError(`Refused to fetch "${shownUrl(url)}": ${address} is no public address (${why}). If that is meant, name it in "allow".`);
      }
    }
    return found;
  }

  async #hop(url: URL, headers: Readonly<Record<string, string>>, method: string, stop: AbortSignal): Promise<IncomingMessage> {
    const addresses = await this.#addresses(url);
    let failure: unknown;
    for (const { address, family } of addresses.slice(0, 4)) {
      try {
        return await this.#ask(url, headers, method, stop, { address, family });
      } catch (error) {
        failure = error;
        const code = (error as NodeJS.ErrnoException).code ?? '';
        if (stop.aborted || !['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(code)) throw error;
      }
    }
    throw failure;
  }

  #ask(url: URL, headers: Readonly<Record<string, string>>, method: string, stop: AbortSignal, pinned: ResolvedAddress): Promise<IncomingMessage> {
    const { idleMs = 30_000, userAgent = 'athanor' } = this.#options, secure = url.protocol === 'https:';
    const toPinned: LookupFunction = (_host, options, done) => {
      if (options.all === true) (done as unknown as (error: null, all: ResolvedAddress[]) => void)(null, [pinned]);
      else done(null, pinned.address, pinned.family);
    };
    const options: RequestOptions = {
      method,
      signal: stop,
      lookup: toPinned,
      agent: secure ? this.#https : this.#http,
      timeout: idleMs,
      headers: { 'user-agent': userAgent, 'accept-encoding': 'gzip, deflate, br', ...headers },
    };
    return new Promise((resolve, reject) => {
      const sent = (secure ? httpsRequest : httpRequest)(url, options, resolve);
      sent.on('timeout', () => sent.destroy(new ProtocolError(`Cannot fetch "${shownUrl(url)}": nothing came for ${idleMs / 1000} s.`)));
      sent.on('error', reject);
      sent.end();
    });
  }

  #fetched(answer: IncomingMessage, url: URL, redirects: number, request: FetchRequest, stop: AbortSignal, timer: NodeJS.Timeout): Fetched {
    const headers = new Headers(), limit = request.maxBytes ?? this.#options.maxBytes ?? DEFAULT_BYTES;
    for (let i = 0; i < answer.rawHeaders.length; i += 2) {
      try {
        headers.append(answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!);
      } catch {
        // A header that no client could read is as good as absent.
      }
    }
    const body = async function*(): AsyncGenerator<Buffer> {
      try {
        yield* decodedBody(answer, headers.get('content-encoding') ?? '', limit, shownUrl(url));
      } catch (error) {
        throw reasonOf(error, url.href, request.signal, stop);
      } finally {
        clearTimeout(timer);
        answer.destroy();
      }
    };
    const once = body();
    return {
      url,
      status: answer.statusCode ?? 0,
      headers,
      redirects,
      body: once,
      bytes: async () => {
        const parts: Buffer[] = [];
        for await (const part of once) parts.push(part);
        return Buffer.concat(parts);
      },
      cancel: () => {
        clearTimeout(timer);
        answer.destroy();
      },
    };
  }
}

async function resolveName(host: string): Promise<readonly ResolvedAddress[]> {
  return lookup(host, { all: true, verbatim: false });
}

/** @throws {ProtocolError} if it is no http or https address */
function parseUrl(text: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw new ProtocolError(`Cannot fetch "${text.slice(0, 200)}": that is no address.`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new ProtocolError(`Cannot fetch "${shownUrl(url)}": only http and https are fetched.`);
  return url;
}

/** User and password become a header of the first origin; addresses that are kept have none. */
function withoutUser(url: URL): { url: URL; authorization?: string } {
  if (url.username === '' && url.password === '') return { url };
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`, bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return { url: bare, authorization: `Basic ${Buffer.from(user).toString('base64')}` };
}

/** An address without what may be secret in it. */
export function shownUrl(url: string | URL): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return String(url).slice(0, 200);
  }
}

function reasonOf(error: unknown, address: string, signal: AbortSignal | undefined, stop: AbortSignal): Error {
  if (signal?.aborted) return new InterruptedError('Stopped while fetching.');
  if (error instanceof AthanorError) return error;
  if (stop.aborted && stop.reason instanceof ProtocolError) return stop.reason;
  const { code, message } = error as NodeJS.ErrnoException;
  return new ProtocolError(`Cannot fetch "${shownUrl(address)}": ${code ?? message}.`, { cause: error });
}
