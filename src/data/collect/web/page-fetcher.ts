// Pages as a polite reader fetches them: from the store, or when the site allows it and it is the host's turn. Layer: data.

import { ProtocolError } from '../../../base/errors.ts';
import { RefusedError } from '../limits.ts';
import { Fetcher, type FetcherOptions } from '../net/guarded-fetch.ts';
import { PageStore, type StoredPage } from './page-store.ts';
import { PoliteHosts } from './polite-hosts.ts';
import { Robots, type SiteRules } from './robots.ts';
import { AGENT_NAME } from './web-options.ts';

export type PageFetcherOptions = {
  readonly cache: string;
  readonly refresh: boolean;
  readonly userAgent: string;
  readonly robots: boolean;
  readonly delaySeconds: number;
  readonly allow: readonly string[];
  readonly maxBytes: number;
  readonly timeoutSeconds: number;
};

/** A crawl-delay beyond this is not waited for: the site does not want to be read. */
const MAX_DELAY_SECONDS = 120;
/** Answers that say "later". */
const ATTEMPTS = 3;

/** Fetches pages, each once. */
export class PageFetcher {
  readonly #options: PageFetcherOptions;
  readonly #fetcher: Fetcher;
  readonly #robots: Robots;
  readonly #hosts = new PoliteHosts();
  readonly #store: PageStore;

  constructor(options: PageFetcherOptions, network: Pick<FetcherOptions, 'resolve' | 'ca'> = {}) {
    const { allow, maxBytes, timeoutSeconds, userAgent, cache } = options;
    this.#options = options;
    this.#fetcher = new Fetcher({ ...network, allow, maxBytes, timeoutMs: timeoutSeconds * 1000, userAgent });
    this.#robots = new Robots(this.#fetcher, AGENT_NAME);
    this.#store = new PageStore(cache);
  }

  close(): void {
    this.#fetcher.close();
  }

  /** The rules of an address's site. */
  rules(url: string, signal: AbortSignal | undefined): Promise<SiteRules> {
    return this.#robots.of(new URL(url), signal);
  }

  /**
   * A page with its bytes, from the store where it is there.
   *
   * @throws {RefusedError} `robots` if the site does not allow it
   * @throws {ProtocolError} if it cannot be had
   */
  async page(url: string, signal: AbortSignal | undefined): Promise<{ page: StoredPage; bytes: Buffer }> {
    const kept = this.#store.get(url);
    if (kept !== undefined && !this.#options.refresh) return kept;
    for (let attempt = 1;; attempt++) {
      const answer = await this.#ask(url, kept?.page, signal);
      if (answer.status === 304 && kept !== undefined) return kept;
      if (answer.status === 200) {
        const { status, bytes, ...page } = answer;
        return { page: this.#store.put({ url, status, ...page }, bytes), bytes };
      }
      if ((answer.status !== 429 && answer.status !== 503) || attempt === ATTEMPTS) throw new ProtocolError(`"${url}" answers ${answer.status}.`, { status: answer.status });
    }
  }

  async #ask(url: string, kept: StoredPage | undefined, signal: AbortSignal | undefined): Promise<Omit<StoredPage, 'url' | 'sha256'> & { bytes: Buffer }> {
    const headers = { accept: 'text/html,application/xhtml+xml,*/*;q=0.5', ...(kept?.etag === undefined ? {} : { 'if-none-match': kept.etag }), ...(kept?.modified === undefined ? {} : { 'if-modified-since': kept.modified }) };
    const first = new URL(url), pauseMs = 1000 * await this.#pauseSeconds(first, signal);
    return this.#hosts.turn(first.host, pauseMs, signal, async () => {
      const answer = await this.#fetcher.fetch(url, { headers, signal, beforeHop: (hop) => this.#check(hop, signal) });
      const bytes = answer.status === 200 ? await answer.bytes() : (answer.cancel(), Buffer.alloc(0)), header = (name: string): string | undefined => answer.headers.get(name) ?? undefined;
      return { finalUrl: answer.url.href, status: answer.status, type: header('content-type') ?? '', etag: header('etag'), modified: header('last-modified'), robots: header('x-robots-tag'), date: new Date().toISOString(), bytes };
    });
  }

  /** @throws {RefusedError} if the site of a hop does not allow it; {ProtocolError} if it does not answer */
  async #check(hop: URL, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#options.robots) return;
    const { allows, failure } = await this.#robots.of(hop, signal);
    if (failure?.isUnreachable === true) throw new ProtocolError(failure.message);
    if (!allows(hop.href)) throw new RefusedError('robots', failure?.message ?? `The robots.txt of ${hop.origin} does not allow ${hop.pathname}.`);
  }

  async #pauseSeconds(url: URL, signal: AbortSignal | undefined): Promise<number> {
    const { delaySeconds, robots } = this.#options;
    if (!robots) return delaySeconds;
    const asked = (await this.#robots.of(url, signal)).delaySeconds ?? 0;
    if (asked > MAX_DELAY_SECONDS) throw new RefusedError('robots', `The robots.txt of ${url.origin} asks for ${asked} s between pages, and ${MAX_DELAY_SECONDS} is the most that is waited.`);
    return Math.max(asked, delaySeconds);
  }
}
