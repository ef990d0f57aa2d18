// Title, author, date and language of a page: what it says about itself, the most explicit first. Layer: data.

import { textOf } from './clean-main.ts';
import type { ArticleData } from './json-ld.ts';
import { readDate } from './page-date.ts';
import { visit, type Element, type PageHead } from './page-tree.ts';

export type Metadata = {
  title?: string;
  /** Several names are joined by `, `. */
  author?: string;
  /** When it was published, YYYY-MM-DD. */
  date?: string;
  /** BCP 47, as the page declares it. */
  language?: string;
  siteName?: string;
  description?: string;
  /** The page's own address. */
  url?: string;
};

/** What elements say, gathered in one walk before boilerplate is taken out. */
export type Spoken = { h1: string[]; authors: string[]; bylines: string[]; times: string[]; dates: string[] };

const DATE_META = ['article:published_time', 'datepublished', 'og:published_time', 'publishdate', 'publish_date', 'pubdate', 'date', 'dc.date', 'dc.date.issued', 'dcterms.date', 'dcterms.created', 'dcterms.issued', 'citation_publication_date', 'citation_date', 'sailthru.date', 'parsely-pub-date', 'article.published',
  'bt:pubdate', 'cxenseparse:recs:publishtime', 'article:published', 'datecreated', 'weibo:article:create_at', 'og:updated_time', 'article:modified_time', 'datemodified', 'last-modified'];
const AUTHOR_META = ['author', 'article:author', 'dc.creator', 'dcterms.creator', 'citation_author', 'parsely-author', 'sailthru.author', 'byl', 'twitter:creator', 'authors'];
const TITLE_META = ['og:title', 'twitter:title', 'dc.title', 'citation_title', 'headline', 'parsely-title', 'title'];
const BY = /^(?:(?:written |posted |published )?by|von|par|por|di|door|av|от|автор|autor(?:in)?|author|text|作者|编辑|記者|记者|撰文|文)\s*[:：|/]?\s+|^(?:作者|记者|編輯|撰文|文)\s*[:：/|]\s*/iu;

const BYLINE = /(?:^|[\s_-])(?:by-?line|author(?:-?name)?|post-author|article-author)(?:$|[\s_-])/i;
const DATELINE = /date|time|publish|posted|pubtime/i;

/** Walks a page for what its elements say. */
export function listen(root: Element): Spoken {
  const kinds = new Map<string, number>(); // names come again and again
  const spoken: Spoken = { h1: [], authors: [], bylines: [], times: [], dates: [] };
  const put = (list: string[], text: string): void => {
    const clean = text.replace(/\s+/g, ' ').trim();
    if (clean !== '' && list.length < 20) list.push(clean);
  };
  visit(root, (element) => {
    const { tag, attributes } = element, name = attributes['class'], prop = attributes['itemprop'];
    if (tag === 'h1') put(spoken.h1, textOf(element, 400));
    if (tag === 'time') put(spoken.times, attributes['datetime'] ?? textOf(element, 100));
    if (prop !== undefined) {
      if (/\bdatePublished\b/.test(prop)) put(spoken.dates, attributes['content'] ?? attributes['datetime'] ?? textOf(element, 100));
      if (/\bauthor\b/.test(prop)) put(spoken.authors, attributes['content'] ?? textOf(element, 100));
    }
    if (tag === 'a' && attributes['rel'] === 'author') put(spoken.authors, textOf(element, 100));
    if (name === undefined && attributes['id'] === undefined) return;
    const names = `${name ?? ''} ${attributes['id'] ?? ''}`;
    let kind = kinds.get(names);
    if (kind === undefined) kinds.set(names, kind = (BYLINE.test(names) ? 1 : 0) + (DATELINE.test(names) && !/update/i.test(names) ? 2 : 0));
    if (kind & 1) put(spoken.bylines, textOf(element, 120));
    if (kind & 2) put(spoken.dates, textOf(element, 120));
  });
  return spoken;
}

/** @param url where the page was read, if known: some carry their date */
export function metadataOf(head: PageHead, article: ArticleData, spoken: Spoken, url: string): Metadata {
  const { meta } = head, siteName = meta.get('og:site_name') ?? meta.get('application-name');
  const found: Metadata = {}, set = (key: keyof Metadata, value: string | undefined): void => {
    if (value !== undefined && value !== '') found[key] = value;
  };
  set('title', titleOf(head, article, spoken, siteName));
  set('author', authorOf(meta, article, spoken));
  const address = head.canonical || meta.get('og:url') || url;
  set('date', dateOf(meta, article, spoken, address));
  set('language', languageOf(head, article));
  set('siteName', siteName);
  set('description', meta.get('description') ?? meta.get('og:description'));
  set('url', address);
  return found;
}

const squeeze = (text: string | undefined): string => decodeTwice(text ?? '').replace(/\s+/g, ' ').trim();
/** Metadata is often escaped once too often. */
const decodeTwice = (text: string): string => text.replace(/&(amp|quot|lt|gt|#0?39|apos|nbsp|#8217|#8216);/g, (_, name: string) => ({ amp: '&', quot: '"', lt: '<', gt: '>', nbsp: ' ', '#8217': '’', '#8216': '‘' })[name] ?? "'");

function titleOf(head: PageHead, article: ArticleData, spoken: Spoken, siteName: string | undefined): string {
  const declared = TITLE_META.map((key) => squeeze(head.meta.get(key))).find((text) => text !== '') ?? squeeze(article.headline);
  const whole = squeeze(head.title), inTitle = spoken.h1.filter((heading) => heading.length > 3 && (whole.includes(heading) || declared.includes(heading))).sort((a, b) => b.length - a.length)[0]; // a site's name may be a heading too
  if (inTitle !== undefined) return inTitle;
  const title = withoutSite(declared !== '' ? declared : whole, siteName);
  return title !== '' ? title : spoken.h1[0] ?? '';
}

/** `Title | Site` and `Site: Title` without the site. */
function withoutSite(title: string, siteName: string | undefined): string {
  const parts = title.split(/\s+[|\-–—·»_/]\s+|\s*[|_]\s*/u);
  if (parts.length < 2) return title;
  if (siteName !== undefined) {
    const rest = parts.filter((part) => part.toLowerCase() !== siteName.toLowerCase());
    if (rest.length < parts.length) return title.slice(title.indexOf(rest[0] ?? ''), title.lastIndexOf(rest.at(-1) ?? '') + (rest.at(-1)?.length ?? 0));
  }
  // The site stands last and is short; a title of fewer than three words is rather cut wrongly than right.
  const last = parts.at(-1)!, before = title.slice(0, title.lastIndexOf(last)).replace(/\s*[|\-–—·»_/]\s*$/u, '');
  return before.split(/\s+/).length > 3 || /[\u3040-\u9fff]{6}/u.test(before) ? before : title;
}

function authorOf(meta: ReadonlyMap<string, string>, article: ArticleData, spoken: Spoken): string | undefined {
  const named = AUTHOR_META.map((key) => squeeze(meta.get(key)));
  for (const text of [squeeze(article.author), ...named, ...spoken.authors, ...spoken.bylines]) {
    const name = text.replace(BY, '').replace(/\s*(?:\||·|•|—|,?\s(?:updated|published|posted|on)\s|\d{4}|\d{1,2}[./]\d).*$/iu, '').trim();
    if (name !== '' && name.length <= 100 && !/^https?:|^@|^(?:admin|administrator|editor|staff|author|by)$/i.test(name) && name.split(' ').length <= 12) return name;
  }
  return undefined;
}

function dateOf(meta: ReadonlyMap<string, string>, article: ArticleData, spoken: Spoken, url: string): string | undefined {
  const said = [article.datePublished, ...DATE_META.slice(0, -4).map((key) => meta.get(key)), ...spoken.times.slice(0, 3), ...spoken.dates];
  for (const text of said) {
    const date = text === undefined ? undefined : readDate(text);
    if (date !== undefined) return date;
  }
  const inUrl = /\/((?:19|20)\d\d)\/(\d\d?)\/(\d\d?)\//.exec(url);
  if (inUrl !== null) return readDate(`${inUrl[1]}-${inUrl[2]}-${inUrl[3]}`);
  for (const text of [article.dateModified, ...DATE_META.slice(-4).map((key) => meta.get(key))]) {
    const date = text === undefined ? undefined : readDate(text);
    if (date !== undefined) return date;
  }
  return undefined;
}

function languageOf(head: PageHead, article: ArticleData): string | undefined {
  for (const tag of [head.htmlLanguage, head.meta.get('content-language'), head.meta.get('og:locale'), head.meta.get('dc.language'), head.meta.get('inlanguage'), article.language]) {
    try {
      if (tag !== undefined && tag.trim() !== '') return Intl.getCanonicalLocales(tag.trim().replaceAll('_', '-').split(',')[0]!)[0];
    } catch {
      // not a language tag: the next one may be
    }
  }
  return undefined;
}
