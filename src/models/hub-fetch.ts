// HTTP as a hub is asked by it: redirects are followed here, so that a token goes to the hub's own origin and to no other;
// what may pass is tried again. Layer: models (pure: the platform's fetch).

import { InterruptedError, ProtocolError } from '../base/errors.ts';

/** How a hub is asked. */
export interface HubAccess {
  /** Such as https://huggingface.co, or a mirror; without a slash at the end. */
  readonly endpoint: string;
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds before the first further attempt, 500; doubled for each. */
  readonly retryMs?: number | undefined;
  /** Milliseconds in which something must arrive, 30 s. */
  readonly idleMs?: number | undefined;
}

const MAX_REDIRECTS = 5, ATTEMPTS = 5, MAX_WAIT_MS = 60_000;

/** The library's answers are read whole; a listing of the largest repositories takes a few megabytes. */
const MAX_JSON_BYTES = 32 * 2 ** 20;

/** Whether a failed request may succeed later. */
const isPassing = (status: number): boolean => status === 429 || status === 408 || status >= 500;

/**
 * A request, with redirects and further attempts.
 *
 * @throws {ProtocolError} if there is no answer, or one that says no
 * @throws {InterruptedError} when the signal aborts
 */
export async function hubRequest(access: HubAccess, url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  for (let attempt = 1;; attempt++) {
    let waitMs = (access.retryMs ?? 500) * 2 ** (attempt - 1), failure: ProtocolError;
    try {
      const response = await follow(access, url, headers);
      if (!isPassing(response.status)) return response;
      failure = new ProtocolError(`Cannot fetch "${shown(url)}": the hub answers ${response.status}. Try again later.`, { status: response.status });
      waitMs = Math.max(waitMs, 1000 * (Number(response.headers.get('retry-after')) || 0));
      await response.body?.cancel();
    } catch (error) {
      if (access.signal?.aborted) throw new InterruptedError('Stopped; what was fetched is kept, and the next attempt goes on from there.');
      if (error instanceof ProtocolError) throw error;
      failure = new ProtocolError(`Cannot reach "${shown(url)}": ${causeOf(error)}. Check the network, or name a mirror (HF_ENDPOINT).`, { cause: error });
    }
    if (attempt === ATTEMPTS) throw failure;
    await pause(Math.min(waitMs, MAX_WAIT_MS), access.signal);
  }
}

async function follow({ endpoint, token, signal, idleMs = 30_000 }: HubAccess, first: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  let url = new URL(first);
  const own = new URL(endpoint);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const mayKnow = token !== undefined && url.origin === own.origin && (url.protocol === 'https:' || isLoopback(url));
    const response = await headersWithin(idleMs, signal, (stop) => fetch(url, { redirect: 'manual', signal: stop, headers: { 'user-agent': 'athanor', 'accept-encoding': 'identity', ...headers, ...(mayKnow ? { authorization: `Bearer ${token}` } : {}) } }));
    if (response.status < 300 || response.status > 399 || response.status === 304) return response;
    const location = response.headers.get('location');
    await response.body?.cancel();
    if (location === null) throw new ProtocolError(`Cannot fetch "${shown(first)}": a redirect names no place.`, { status: response.status });
    const next = new URL(location, url);
    if (!['https:', 'http:'].includes(next.protocol) || (url.protocol === 'https:' && next.protocol !== 'https:')) {
      throw new ProtocolError(`Cannot fetch "${shown(first)}": it redirects to "${shown(next.href)}", where it would not be safe.`, { status: response.status });
    }
    url = next;
  }
  throw new ProtocolError(`Cannot fetch "${shown(first)}": it redirects more than ${MAX_REDIRECTS} times.`);
}

/** A request whose head must arrive in time; its body may take longer, and stops with `signal`. */
async function headersWithin(ms: number, signal: AbortSignal | undefined, request: (stop: AbortSignal) => Promise<Response>): Promise<Response> {
  const late = new AbortController(), timer = setTimeout(() => late.abort(new Error(`nothing came for ${ms / 1000} s`)), ms);
  try {
    return await request(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

const isLoopback = ({ hostname }: URL): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** A URL without what may be secret in it. */
export function shown(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** What a network error says, which Node.js puts into its cause. */
export function causeOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message ?? String(error);
}

/** Waits, unless it is told to stop. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new InterruptedError('Stopped; what was fetched is kept, and the next attempt goes on from there.'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The same as a `fetch` for @huggingface/hub, whose own follows redirects blindly: answers are bounded. */
export function hubFetcher(access: HubAccess): typeof fetch {
  return async (input) => {
    const response = await hubRequest(access, String(input instanceof Request ? input.url : input), { accept: 'application/json' }), parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body ?? []) {
      length += part.length;
      if (length > MAX_JSON_BYTES) throw new ProtocolError(`Cannot read "${shown(response.url)}": its answer passes ${MAX_JSON_BYTES} bytes.`, { status: response.status });
      parts.push(part);
    }
    const { status, statusText, headers } = response;
    return new Response(status === 204 || status === 304 ? null : new Blob(parts as Uint8Array<ArrayBuffer>[]), { status, statusText, headers: new Headers([...headers].filter(([name]) => !/^content-(encoding|length)$/.test(name))) });
  };
}
