// What all routes share: a server's parts. Layer: serve.

import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import type { Admission } from './admission.ts';
import type { Energy } from './energy.ts';
import type { KeyHolder, KeyRing, Scope } from './keys.ts';
import type { Metrics } from './metrics.ts';
import type { ServeOptions } from './options.ts';
import type { ModelRegistry } from './registry.ts';
import type { ResponseStore } from './response-store.ts';
import type { ServeLog } from './serve-log.ts';

/** A server's parts. */
export interface ServerParts {
  readonly options: ServeOptions;
  readonly registry: ModelRegistry;
  readonly admission: Admission;
  readonly keys: KeyRing;
  readonly metrics: Metrics;
  readonly log: ServeLog;
  readonly responses: ResponseStore;
  /** Where the processor tells what it uses. */
  readonly energy?: Energy | undefined;
  readonly version: string;
  /** Whether requests are taken: not while the first model loads, not while the server closes. */
  isReady(): boolean;
}

/** What the first steps find out about a request: its id, and who asks (undefined where there are no keys). */
export type ServerEnv = { Bindings: HttpBindings; Variables: { requestId: string; holder: KeyHolder | undefined } };

export type ServerContext = Context<ServerEnv>;

/** One route of the server. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'HEAD';
  readonly path: string;
  /** null: open to everybody. */
  readonly scope: Scope | null;
  /** For the OpenAPI document: what it does. */
  readonly summary: string;
  readonly protocol: 'openai' | 'anthropic' | 'ollama' | 'athanor';
  handle(c: ServerContext): Response | Promise<Response>;
}

/** Makes a route of a server's parts. */
export type MakeRoute = (server: ServerParts) => Route;
