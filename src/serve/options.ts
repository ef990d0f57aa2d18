// How a server behaves: limits, times, who may ask. Layer: serve (pure).

/** All have defaults, each with its reason. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Most bytes of a request's body, 8 MiB: a conversation of a million tokens has some 5 MB. */
  readonly maxBodyBytes: number;
  /** Requests that are answered at once; more wait. As many as the engine has places. */
  readonly maxRunning: number;
  /** Requests that wait; more are refused with 429. */
  readonly maxWaiting: number;
  /** Longest wait for a place. */
  readonly queueTimeoutMs: number;
  /** Longest time from a place to the end of the answer. */
  readonly answerTimeoutMs: number;
  /** A reader that takes nothing for so long is cut off. */
  readonly stallTimeoutMs: number;
  /** How long answers may go on after SIGTERM. */
  readonly drainTimeoutMs: number;
  /** Further names that this server is called by, for the check of Host. */
  readonly allowedHosts: readonly string[];
  /** Pages of other origins that may ask, such as http://localhost:5173. */
  readonly allowedOrigins: readonly string[];
  /** Whether models may be loaded, unloaded and reloaded over HTTP, by keys of the admin scope. */
  readonly admin: boolean;
}

export const DEFAULT_SERVE_OPTIONS: ServeOptions = {
  host: '127.0.0.1',
  port: 8080,
  maxBodyBytes: 8 * 2 ** 20,
  maxRunning: 16,
  maxWaiting: 64,
  queueTimeoutMs: 30_000,
  answerTimeoutMs: 600_000,
  stallTimeoutMs: 60_000,
  drainTimeoutMs: 30_000,
  allowedHosts: [],
  allowedOrigins: [],
  admin: false,
};

/** Whether an address is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
