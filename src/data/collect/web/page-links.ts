// What a page says to a crawler: its links, its own address, and what it asks not to be done. Layer: data (pure).
// See the HTML Standard 4.6.7 (nofollow, canonical), and Google's robots meta tag, which others follow.

import { Parser } from 'htmlparser2';

/** `links` are absolute, without fragments, each once, in the page's order. */
export type PageLinks = { links: string[]; canonical: string | undefined; noIndex: boolean; noFollow: boolean };

/** More links than a reader could want: the rest are a trap or a listing. */
const MAX_LINKS = 5000;
/** Open elements beyond which the page is left: the parser's time grows with them. */
const MAX_DEPTH = 4096;

/**
 * @param url where the page was found
 * @param robotsHeader the value of X-Robots-Tag
 */
export function pageLinks(html: string, url: string, robotsHeader = ''): PageLinks {
  const found = new Set<string>(), asked = new Set(words(robotsHeader));
  let base = url, canonical: string | undefined, depth = 0;
  const parser = new Parser({
    onopentag(name, attributes) {
      depth++;
      const rel = words(attributes['rel'] ?? ''), href = attributes['href'];
      if (name === 'base' && href !== undefined && base === url) base = absolute(href, url) ?? url;
      else if (name === 'meta' && /^(robots|athanor)$/i.test(attributes['name'] ?? '')) { for (const word of words(attributes['content'] ?? '')) asked.add(word); }
      else if (name === 'link' && rel.includes('canonical') && href !== undefined) canonical ??= absolute(href, base);
      else if ((name === 'a' || name === 'area') && href !== undefined && found.size < MAX_LINKS && !rel.some((word) => word === 'nofollow' || word === 'ugc' || word === 'sponsored')) {
        const link = absolute(href, base);
        if (link !== undefined) found.add(link);
      }
    },
    onclosetag: () => void depth--,
  }, { decodeEntities: true });
  for (let at = 0; at < html.length; at += 65536) {
    if (depth > MAX_DEPTH) break;
    parser.write(html.slice(at, at + 65536));
  }
  parser.end();
  const noFollow = asked.has('nofollow') || asked.has('none');
  return { links: noFollow ? [] : [...found], canonical, noIndex: asked.has('noindex') || asked.has('none'), noFollow };
}

const words = (text: string): string[] => text.toLowerCase().split(/[\s,:;]+/).filter((word) => word !== '');

/** An http address without its fragment; undefined for anything else. */
export function absolute(href: string, base: string): string | undefined {
  try {
    const url = new URL(href.trim(), base);
    url.hash = '';
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : undefined;
  } catch {
    return undefined;
  }
}
