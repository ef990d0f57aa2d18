// The sources `web` (a list of addresses) and `crawl` (a list of sites). Layer: data (network).
// A page is kept in the cache as it came, so that reading a unit again, in another process too, asks nobody.

import { z } from 'zod';
import { ConfigError } from '../../../base/errors.ts';
import type { Document } from '../../document.ts';
import type { SourceContext, SourceKind, Unit } from '../../source-kind.ts';
import { bytesInput } from '../content.ts';
import { readInputDocuments } from '../read-file.ts';
import { crawlSites } from '../web/crawl.ts';
import { PageFetcher } from '../web/page-fetcher.ts';
import { absolute } from '../web/page-links.ts';
import { sideBySide } from '../web/side-by-side.ts';
import { skipPage } from '../web/skip-page.ts';
import { webShape } from '../web/web-options.ts';

const webSchema = z.strictObject({ urls: z.array(z.string()).min(1).describe('addresses to fetch'), ...webShape });
const crawlSchema = z.strictObject({
  sites: z.array(z.string()).min(1).describe('addresses to begin at; links are followed below their hosts and paths'),
  maxPages: z.int().positive().default(1000).describe('pages of a site'),
  maxDepth: z.int().min(0).default(5).describe('links from the first page'),
  sitemaps: z.boolean().default(true).describe('read the sitemaps that robots.txt names'),
  ...webShape,
});

/** Hosts that are asked at the same time; each sees one request at a time. */
const HOSTS_AT_ONCE = 8;

export type WebOptions = z.output<typeof webSchema>;
export type CrawlOptions = z.output<typeof crawlSchema>;

export const web: SourceKind<WebOptions> = {
  name: 'web',
  about: 'A list of https addresses, robots.txt honoured.',
  options: webSchema,
  async *list(options, context) {
    const urls = new Set<string>(), byHost = new Map<string, string[]>(), sizes = new Map<string, number>();
    for (const text of options.urls) {
      const url = absolute(text, 'invalid:');
      if (url === undefined) throw new ConfigError(`Cannot fetch "${text}": only http and https addresses are fetched.`, { path: 'urls' });
      if (urls.has(url)) continue;
      urls.add(url);
      const { host } = new URL(url);
      byHost.set(host, [...(byHost.get(host) ?? []), url]);
    }
    // All is fetched here, by one process, so that a host sees one reader however many processes share the work.
    const fetcher = new PageFetcher(options);
    try {
      await sideBySide([...byHost.values()], HOSTS_AT_ONCE, async (pages) => {
        for (const url of pages) {
          try {
            sizes.set(url, (await fetcher.page(url, context.signal)).bytes.length);
          } catch (error) {
            skipPage(url, error, options.strict, context);
          }
        }
      });
    } finally {
      fetcher.close();
    }
    for (const url of urls) if (sizes.has(url)) yield { key: url, bytes: sizes.get(url)! };
  },
  read: readKept,
};

export const crawl: SourceKind<CrawlOptions> = {
  name: 'crawl',
  about: 'A list of sites, each followed from its first page: politely, within bounds, and resumed where it stopped.',
  options: crawlSchema,
  async *list(options, context) {
    for (const site of options.sites) if (absolute(site, 'invalid:') === undefined) throw new ConfigError(`Cannot crawl "${site}": a site is an http or https address.`, { path: 'sites' });
    const fetcher = new PageFetcher(options);
    try {
      yield* crawlSites(options, fetcher, context);
    } finally {
      fetcher.close();
    }
  },
  read: readKept,
};

/** What listing kept is what is read, whatever the site says now. */
function readKept(unit: Unit, options: WebOptions | CrawlOptions, context: SourceContext): AsyncGenerator<Document> {
  return readPage(unit, { ...options, refresh: false }, context);
}

async function* readPage(unit: Unit, options: WebOptions | CrawlOptions, context: SourceContext): AsyncGenerator<Document> {
  const fetcher = new PageFetcher(options), url = unit.key;
  let found;
  try {
    found = await fetcher.page(url, context.signal);
  } catch (error) {
    return skipPage(url, error, options.strict, context);
  } finally {
    fetcher.close();
  }
  const { page, bytes } = found, input = { ...bytesInput(url, bytes, page.type), name: new URL(page.finalUrl).pathname, url: page.finalUrl };
  for await (const document of readInputDocuments(input, options, context)) {
    const date = document.meta?.['date'] ?? page.modified ?? page.date;
    yield { ...document, group: new URL(page.finalUrl).host, meta: { ...document.meta, url: page.finalUrl, date } };
  }
}
