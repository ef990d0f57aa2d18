// robots.txt of each site, asked once. Layer: data (network). See RFC 9309.
// 2.3.1.3: a file that is not there (4xx) forbids nothing; 2.3.1.4: a server that fails (5xx, no answer) forbids all.

import { createRequire } from 'node:module';
import { ProtocolError } from '../../../base/errors.ts';
import type { Fetcher } from '../net/guarded-fetch.ts';

/** What a site allows. */
export type SiteRules = {
  allows(url: string): boolean;
  /** Seconds between requests, where the site says. */
  readonly delaySeconds: number | undefined;
  readonly sitemaps: readonly string[];
  /** Why nothing is allowed, where the site does not answer or its server fails. */
  readonly failure?: { readonly message: string; readonly isUnreachable: boolean };
};

/** RFC 9309, 2.5: at least 500 KiB are read. */
const MAX_BYTES = 512 * 1024;

type Parsed = { isAllowed(url: string, agent?: string): boolean | undefined; getCrawlDelay(agent?: string): number | undefined; getSitemaps(): string[] };

/** robots-parser is CommonJS, and its types say otherwise. */
const parse = (url: string, text: string): Parsed => (createRequire(import.meta.url)('robots-parser') as (url: string, text: string) => Parsed)(url, text);

/** Rules by origin, for as long as it lives. */
export class Robots {
  readonly #fetcher: Fetcher;
  readonly #agent: string;
  readonly #rules = new Map<string, Promise<SiteRules>>();

  /** @param agent the product name that rules are looked up by: `athanor` */
  constructor(fetcher: Fetcher, agent: string) {
    this.#fetcher = fetcher;
    this.#agent = agent;
  }

  /** The rules of an address's site. */
  of(url: URL, signal: AbortSignal | undefined): Promise<SiteRules> {
    let rules = this.#rules.get(url.origin);
    if (rules === undefined) {
      rules = this.#ask(url.origin, signal);
      this.#rules.set(url.origin, rules);
      // An interruption is no answer: it is asked again.
      rules.catch(() => this.#rules.delete(url.origin));
    }
    return rules;
  }

  async #ask(origin: string, signal: AbortSignal | undefined): Promise<SiteRules> {
    const at = `${origin}/robots.txt`;
    try {
      const answer = await this.#fetcher.fetch(at, { signal });
      if (answer.status >= 500 || answer.status === 429) {
        answer.cancel();
        return nothing(`The robots.txt of ${origin} answers ${answer.status}, which forbids all.`, false);
      }
      if (answer.status !== 200) {
        answer.cancel();
        return this.#parsed(at, '');
      }
      return this.#parsed(at, await textUpTo(answer.body, MAX_BYTES));
    } catch (error) {
      if (error instanceof ProtocolError) return nothing(error.message, true);
      throw error;
    }
  }

  #parsed(at: string, text: string): SiteRules {
    const rules = parse(at, text), agent = this.#agent;
    return { allows: (url) => rules.isAllowed(url, agent) !== false, delaySeconds: rules.getCrawlDelay(agent), sitemaps: rules.getSitemaps() };
  }
}

const nothing = (message: string, isUnreachable: boolean): SiteRules => ({ allows: () => false, delaySeconds: undefined, sitemaps: [], failure: { message, isUnreachable } });

/** The beginning of a body; the rest is not asked for. */
async function textUpTo(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of body) {
    parts.push(part);
    length += part.length;
    if (length >= most) break;
  }
  return Buffer.concat(parts).subarray(0, most).toString('utf8').replace(/^\ufeff/, '');
}
