// Sitemaps: addresses that a site lists itself. Layer: data (network). See https://www.sitemaps.org/protocol.html.

import { gunzipSync } from 'node:zlib';
import { AthanorError, InterruptedError } from '../../../base/errors.ts';
import { elementTexts } from '../xml-text.ts';
import { absolute } from './page-links.ts';

/** The protocol's own bounds: 50 MB and 50,000 addresses a file. */
const MAX_BYTES = 50 * 2 ** 20, MAX_FILES = 50;

/**
 * Addresses of a site's sitemaps, indexes followed.
 *
 * @param get bytes of a sitemap; what it throws means that this one is not read
 * @param most addresses that are wanted
 */
export async function sitemapLinks(sitemaps: readonly string[], get: (url: string) => Promise<Buffer | undefined>, most: number): Promise<string[]> {
  const waiting = [...sitemaps], seen = new Set<string>(), links: string[] = [];
  while (waiting.length > 0 && seen.size < MAX_FILES && links.length < most) {
    const url = waiting.shift()!;
    if (seen.has(url)) continue;
    seen.add(url);
    const text = await textOf(url, get);
    if (text === undefined) continue;
    const isIndex = /<(\w+:)?sitemapindex[\s>]/.test(text.slice(0, 4096)), found = text.trimStart().startsWith('<') ? elementTexts(text, 'loc', most) : text.split(/\r?\n/).slice(0, most);
    for (const entry of found) {
      const link = absolute(entry, url);
      if (link !== undefined) (isIndex ? waiting : links).push(link);
    }
  }
  return links.slice(0, most);
}

async function textOf(url: string, get: (url: string) => Promise<Buffer | undefined>): Promise<string | undefined> {
  try {
    const bytes = await get(url);
    return bytes?.[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: MAX_BYTES }).toString('utf8') : bytes?.toString('utf8');
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    if (error instanceof AthanorError || (error as NodeJS.ErrnoException).code !== undefined) return undefined;
    throw error;
  }
}
