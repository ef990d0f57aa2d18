// Crawling: from the first page of each site along its links, breadth first. Layer: data (network).
// The order is that of the links on the pages, so that the same pages give the same list. What was fetched is in the
// store: a crawl that was stopped walks through it at the speed of the disk and goes on where it was.

import type { SourceContext, Unit } from '../../source-kind.ts';
import { decodePage } from '../../extract/index.ts';
import { skipPage } from './skip-page.ts';
import type { PageFetcher } from './page-fetcher.ts';
import { pageLinks } from './page-links.ts';
import { sideBySide } from './side-by-side.ts';
import { sitemapLinks } from './sitemap.ts';

export type CrawlBounds = {
  readonly sites: readonly string[];
  readonly maxPages: number;
  readonly maxDepth: number;
  readonly sitemaps: boolean;
  readonly strict: boolean;
};

/** Links that are no pages to read. */
const NO_PAGE = /\.(png|jpe?g|gif|webp|svg|ico|css|js|mjs|woff2?|ttf|mp[34]|m4a|avi|mov|webm|zip|gz|tgz|xz|7z|rar|exe|dmg|iso|apk|deb|rpm)$/i;

/** Sites that are crawled at the same time; each sees one request at a time. */
const SITES_AT_ONCE = 8;

/** The pages of all sites, in the order of the sites, each page once. */
export async function* crawlSites(bounds: CrawlBounds, fetcher: PageFetcher, context: SourceContext): AsyncGenerator<Unit> {
  const listed = new Set<string>();
  for (let at = 0; at < bounds.sites.length; at += SITES_AT_ONCE) {
    for (const units of await sideBySide(bounds.sites.slice(at, at + SITES_AT_ONCE), SITES_AT_ONCE, (site) => all(crawlSite(new URL(site), bounds, fetcher, context)))) {
      for (const unit of units) if (!listed.has(unit.key) && listed.add(unit.key)) yield unit;
    }
  }
}

async function all(units: AsyncIterable<Unit>): Promise<Unit[]> {
  const list: Unit[] = [];
  for await (const unit of units) list.push(unit);
  return list;
}

async function* crawlSite(site: URL, bounds: CrawlBounds, fetcher: PageFetcher, context: SourceContext): AsyncGenerator<Unit> {
  site.hash = '';
  const taken = new Set<string>();
  const folder = site.pathname.slice(0, site.pathname.lastIndexOf('/') + 1), known = new Set([site.href]), waiting = [{ url: site.href, depth: 0 }];
  const isInside = (url: string): boolean => {
    const { host, pathname } = new URL(url);
    return host === site.host && pathname.startsWith(folder) && !NO_PAGE.test(pathname);
  };
  const add = (links: readonly string[], depth: number): void => {
    for (const url of links) {
      // A queue of ten times what is wanted is enough; a site without an end would fill the memory.
      if (!isInside(url) || known.has(url) || known.size > 10 * bounds.maxPages) continue;
      known.add(url);
      waiting.push({ url, depth });
    }
  };
  if (bounds.sitemaps) {
    const { sitemaps } = await fetcher.rules(site.href, context.signal);
    add(await sitemapLinks(sitemaps.filter((url) => URL.canParse(url) && new URL(url).host === site.host), async (url) => (await fetcher.page(url, context.signal)).bytes, bounds.maxPages), 1);
  }
  for (let pages = 0; waiting.length > 0 && pages < bounds.maxPages;) {
    const { url, depth } = waiting.shift()!;
    let found;
    try {
      found = await fetcher.page(url, context.signal);
    } catch (error) {
      skipPage(url, error, bounds.strict, context);
      continue;
    }
    pages++;
    const { page, bytes } = found, isHtml = /html/i.test(page.type) || page.type === '';
    if (!isInside(page.finalUrl)) {
      context.skip({ file: url }, 'elsewhere', `It leads to ${page.finalUrl}, outside the site.`);
      continue;
    }
    const said = isHtml ? pageLinks(decodePage(bytes, page.type).html, page.finalUrl, page.robots) : { links: [], canonical: undefined, noIndex: /\b(noindex|none)\b/i.test(page.robots ?? ''), noFollow: true };
    if (depth < bounds.maxDepth) add(said.links, depth + 1);
    // A page whose own address is another is that one: it comes by that name, where it is inside the site.
    const own = said.canonical !== undefined && isInside(said.canonical) ? said.canonical : page.finalUrl;
    if (said.noIndex) context.skip({ file: url }, 'noindex', 'The page asks not to be kept.');
    else if (taken.has(own) || taken.has(url)) context.skip({ file: url }, 'same-page', `It is ${own}.`);
    else yield { key: url, bytes: bytes.length };
    taken.add(own).add(url);
  }
  context.count('crawl.sites');
}
