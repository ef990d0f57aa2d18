// The server on its socket: it listens, drains, closes. Layer: serve.

import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { ConfigError, StorageError } from '../base/errors.ts';
import { Admission } from './admission.ts';
import { makeApp } from './app.ts';
import type { ServerParts } from './context.ts';
import type { Energy } from './energy.ts';
import { KeyRing } from './keys.ts';
import { Metrics } from './metrics.ts';
import { loadPage, pageRoutes } from './chat-page.ts';
import { DEFAULT_SERVE_OPTIONS, isLoopback, type ServeOptions } from './options.ts';
import type { ModelRegistry } from './registry.ts';
import { ResponseStore } from './response-store.ts';
import { SILENT_LOG, type ServeLog } from './serve-log.ts';

export interface StartOptions extends Partial<ServeOptions> {
  readonly registry: ModelRegistry;
  readonly keys?: KeyRing;
  readonly log?: ServeLog;
  readonly version?: string;
  readonly energy?: Energy | undefined;
}

/** A server that listens. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly parts: ServerParts;
  /** Takes no more requests, lets those that run end within their time, and closes. Does so once. */
  drain(): Promise<void>;
}

/** A head of a request must be there within this time, and a whole request within the next: slow ones hold sockets. */
const HEAD_TIMEOUT_MS = 15_000, REQUEST_TIMEOUT_MS = 60_000;

/** What holds for every server. @throws {ConfigError} if it would be open to other machines without a key */
function checkBinding(options: Pick<ServeOptions, 'host'>, keys: KeyRing): void {
  if (isLoopback(options.host) || !keys.isEmpty) return;
  throw new ConfigError(`Cannot serve on ${options.host} without a key: other machines could use it. Make one with --new-key NAME --keys FILE and start with --keys FILE, or leave --host out.`, { path: 'host' });
}

/**
 * Starts a server. Its first model loads while it listens; until then /readyz says so.
 *
 * @throws {ConfigError} if it would be open without a key, or the address cannot be listened on
 */
export async function startServer({ registry, keys = new KeyRing(), log = SILENT_LOG, version = '0', energy, ...given }: StartOptions): Promise<RunningServer> {
  const options: ServeOptions = { ...DEFAULT_SERVE_OPTIONS, ...given };
  checkBinding(options, keys);
  const admission = new Admission(options), state = { loaded: false, draining: false };
  const metrics = new Metrics({ running: () => admission.running, waiting: () => admission.waiting });
  const parts: ServerParts = { options, registry, admission, keys, metrics, log, version, energy, responses: new ResponseStore(), isReady: () => state.loaded && !state.draining };
  const http = createAdaptorServer({ fetch: makeApp(parts, pageRoutes(loadPage())).fetch, serverOptions: { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 16384 } }) as Server;
  const address = await listen(http, options);
  const [first] = registry.entries;
  try {
    if (first !== undefined) (await registry.acquire(first.name)).release();
  } catch (error) {
    http.close();
    throw error;
  }
  state.loaded = true;
  let drained: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    state.draining = true;
    admission.close();
    log.write('draining', { running: admission.running, waiting: admission.waiting });
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeIdleConnections();
    const inTime = await admission.idle(options.drainTimeoutMs);
    await registry.close(); // whatever still runs ends with an error in its stream
    if (inTime) await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]);
    http.closeAllConnections();
    await closed;
    log.write('closed', { inTime });
  };
  return { host: options.host, port: address.port, parts, drain: () => (drained ??= drain()) };
}

/** For the last bytes of answers that are done. */
const LAST_WORDS_MS = 2000;

function listen(http: Server, { host, port }: ServeOptions): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => {
      reject(cause.code === 'EADDRINUSE'
        ? new ConfigError(`Cannot serve on ${host}:${port}: another program listens there. Choose another --port.`, { path: 'port', cause })
        : new StorageError(`Cannot serve on ${host}:${port}: ${cause.message}. Choose another --host or --port.`, { path: `${host}:${port}`, cause }));
    });
    http.listen(port, host, () => resolve(http.address() as { port: number }));
  });
}
