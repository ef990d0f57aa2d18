import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InterruptedError } from '../../../src/base/errors.ts';
import { crawl, web } from '../../../src/data/collect/sources/web.ts';
import { pageLinks } from '../../../src/data/collect/web/page-links.ts';
import { PoliteHosts } from '../../../src/data/collect/web/polite-hosts.ts';
import { collected, readSource, recorder } from './collecting.ts';

let server: Server, site: string, cache: string, asked: { path: string; at: number; headers: IncomingMessage['headers'] }[], open = 0, mostOpen = 0;
let robots: string | number = '';

const prose = (n: number): string => `<p>This is page ${n}, and it has a text of its own, which is long enough to be taken for an article, with commas and all.</p><p>这是第${n}页的正文，内容足够长，可以作为文章来提取。</p>`;
const page = (n: number, links: string, head = ''): string => `<!DOCTYPE html><html lang="en"><head><title>Page ${n}</title>${head}</head><body><main><h1>Page ${n}</h1>${prose(n)}</main><nav>${links}</nav></body></html>`;
const PAGES: Record<string, string> = {
  '/': page(0, '<a href="/one#x">1</a> <a href="two">2</a> <a rel="nofollow" href="/hidden">h</a> <a href="http://elsewhere.test/">e</a> <a href="/pic.png">p</a> <a href="/private/x">x</a> <a href="/moved">m</a> <a href="/gone">g</a>'),
  '/one': page(1, '<a href="/three">3</a>'),
  '/two': page(2, '<a href="/four">4</a>', '<meta name="robots" content="nofollow">'),
  '/three': page(3, '<a href="/deep">5</a>', '<meta name="robots" content="noindex">'),
  '/four': page(4, ''),
  '/deep': page(5, '<a href="/one?copy">6</a>'),
  '/one?copy': page(1, '', '<link rel="canonical" href="/one">'),
  '/listed': page(7, ''),
  '/private/x': page(8, ''),
};

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url!;
    asked.push({ path, at: performance.now(), headers: request.headers });
    mostOpen = Math.max(mostOpen, ++open);
    response.on('close', () => open--);
    setTimeout(() => {
      if (path === '/robots.txt') response.writeHead(typeof robots === 'number' ? robots : 200).end(typeof robots === 'number' ? '' : robots);
      else if (path === '/sitemap.xml') response.end(`<urlset xmlns="x"><url><loc>${site}/listed</loc></url><url><loc>http://elsewhere.test/</loc></url></urlset>`);
      else if (path === '/moved') response.writeHead(301, { location: '/private/x' }).end();
      else if (path === '/slow-down') response.writeHead(503).end();
      else if (PAGES[path] === undefined) response.writeHead(404).end('no');
      else if (request.headers['if-none-match'] === `"${path}"`) response.writeHead(304).end();
      else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', etag: `"${path}"` }).end(PAGES[path]);
    }, 2);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  asked = [];
  mostOpen = 0;
  robots = 'User-agent: *\nDisallow: /private/\n';
  cache = mkdtempSync(join(tmpdir(), 'athanor-web-'));
  return () => rmSync(cache, { recursive: true, force: true });
});

const options = (more = {}): Record<string, unknown> => ({ cache, allow: ['127.0.0.1'], delaySeconds: 0, ...more });
const paths = (): string[] => asked.map(({ path }) => path);

describe('web', () => {
  it('fetches a list with what is known of each page, and says what it could not have', async () => {
    const { documents, skips } = await readSource(web, options({ urls: [`${site}/one`, `${site}/private/x`, `${site}/gone`, `${site}/moved`, `${site}/one#again`, 'http://10.0.0.1/', `${site}/slow-down`] }));
    expect(documents.map(({ id }) => id)).toEqual([`s/${site}/one`]);
    expect(documents[0]!.text).toContain('这是第1页的正文');
    expect(documents[0]).toMatchObject({ group: site.slice(7), meta: { url: `${site}/one`, title: 'Page 1', language: 'en', date: expect.stringMatching(/^20\d\d-/) }, origin: { source: 's', file: `${site}/one`, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    expect(skips.map(({ file, reason }) => [file.replace(site, ''), reason]).sort()).toEqual([['/gone', 'status-404'], ['/moved', 'robots'], ['/private/x', 'robots'], ['/slow-down', 'status-503'], ['http://10.0.0.1/', 'unreachable']]);
    expect(asked[0]!.headers['user-agent']).toMatch(/^athanor\/\d/);
    expect(paths().filter((path) => path === '/robots.txt').length).toBe(1);
  });

  it('asks nobody for a page that it has, asks whether it changed, and mends a damaged store', async () => {
    const urls = [`${site}/one`, `${site}/two`];
    await readSource(web, options({ urls }));
    asked = [];
    expect((await readSource(web, options({ urls }))).documents.length).toBe(2);
    expect(asked).toEqual([]);
    expect((await readSource(web, options({ urls, refresh: true }))).documents.length).toBe(2);
    expect(asked.map(({ path, headers }) => [path, headers['if-none-match']])).toEqual([['/robots.txt', undefined], ['/one', '"/one"'], ['/two', '"/two"']]);
    const [body] = readdirSync(cache, { recursive: true }).map(String).filter((name) => name.endsWith('.body'));
    writeFileSync(join(cache, body!), 'half');
    asked = [];
    expect((await readSource(web, options({ urls }))).documents.every(({ text }) => text.includes('page'))).toBe(true);
    expect(asked.length).toBe(2);
  });

  it('takes a robots.txt that fails as a no, and one that is not there as a yes', async () => {
    robots = 500;
    expect((await readSource(web, options({ urls: [`${site}/one`] }))).skips[0]!.reason).toBe('robots');
    robots = 404;
    expect((await readSource(web, options({ urls: [`${site}/one`] }))).documents.length).toBe(1);
  });

  it('waits as long as robots.txt asks, one request at a time', async () => {
    robots = 'User-agent: athanor\nCrawl-delay: 0.06\n';
    await readSource(web, options({ urls: [`${site}/one`, `${site}/two`, `${site}/four`] }));
    const times = asked.filter(({ path }) => path !== '/robots.txt').map(({ at }) => at);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(55);
    expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(55);
    expect(mostOpen).toBe(1);
    robots = 'User-agent: *\nCrawl-delay: 3600\n';
    expect((await readSource(web, options({ urls: [`${site}/deep`] }))).skips[0]).toMatchObject({ reason: 'robots', detail: expect.stringContaining('3600 s') });
  });
});

describe('crawl', () => {
  it('follows links breadth first within the site, and what pages and robots.txt ask', async () => {
    robots = `User-agent: *\nDisallow: /private/\nSitemap: ${site}/sitemap.xml\n`;
    const { keys, skips } = await readSource(crawl, options({ sites: [`${site}/`] }));
    expect(keys.map((key) => key.replace(site, ''))).toEqual(['/', '/listed', '/one', '/two', '/deep']);
    expect(skips.map(({ file, reason }) => [file.replace(site, ''), reason])).toEqual([['/private/x', 'robots'], ['/moved', 'robots'], ['/gone', 'status-404'], ['/three', 'noindex'], ['/one?copy', 'same-page']]);
    expect(paths()).not.toContain('/hidden');
    expect(paths()).not.toContain('/four'); // only a page that says nofollow leads there
    expect(paths()).not.toContain('/pic.png');
  });

  it('keeps to its bounds', async () => {
    expect((await readSource(crawl, options({ sites: [`${site}/`], maxDepth: 0 }))).keys.length).toBe(1);
    expect((await readSource(crawl, options({ sites: [`${site}/`], maxPages: 2 }))).keys.length).toBe(2);
  });

  it('goes on where it was stopped, without asking again', async () => {
    const stop = new AbortController(), parsed = crawl.options.parse(options({ sites: [`${site}/`], delaySeconds: 0.02 }));
    const first = collected(crawl.list(parsed, recorder(stop.signal)));
    while (!paths().includes('/one')) await new Promise((resolve) => setTimeout(resolve, 2));
    stop.abort();
    await expect(first).rejects.toThrow(InterruptedError);
    asked = [];
    const { keys } = await readSource(crawl, options({ sites: [`${site}/`] }));
    expect(paths()).not.toContain('/');
    expect(keys.length).toBe(4);
  });
});

describe('pageLinks()', () => {
  it.each([
    ['<a href="b">x</a><a href="b#y">y</a>', 'http://a.test/d/c', ['http://a.test/d/b']],
    ['<base href="/e/"><a href="b">x</a>', 'http://a.test/d/c', ['http://a.test/e/b']],
    ['<a href="mailto:a@b.test">x</a><a href="javascript:x()">y</a><a href="http://[">z</a>', 'http://a.test/', []],
    ['<a rel="ugc" href="b">x</a><a rel="external nofollow" href="c">x</a><a rel="next" href="d">x</a>', 'http://a.test/', ['http://a.test/d']],
    [`${'<div>'.repeat(100_000)}<a href="b">x</a>`, 'http://a.test/', []],
  ])('%# finds what may be followed', (html, url, links) => {
    expect(pageLinks(html, url).links).toEqual(links);
  });

  it('hears the header too', () => {
    expect(pageLinks('<a href="b">x</a>', 'http://a.test/', 'noindex, nofollow')).toMatchObject({ links: [], noIndex: true, noFollow: true });
  });
});

describe('PoliteHosts', () => {
  it('gives turns in order, and goes on after a failure', async () => {
    const hosts = new PoliteHosts(), order: number[] = [];
    const turns = [1, 2, 3].map((n) =>
      hosts.turn('h', 0, undefined, async () => {
        order.push(n);
        if (n === 2) throw new Error('no');
      }).catch(() => undefined)
    );
    await Promise.all(turns);
    expect(order).toEqual([1, 2, 3]);
  });
});
