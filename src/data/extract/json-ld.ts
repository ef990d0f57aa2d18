// Structured data of a page in JSON-LD: what schema.org's articles say about themselves. Layer: data.

/** What an article's data tells; fields are strings that are not empty. */
export type ArticleData = { headline?: string; author?: string; datePublished?: string; dateModified?: string; articleBody?: string; language?: string };

const ARTICLE = /Article|BlogPosting|NewsArticle|Report|Posting|WebPage|Recipe|CreativeWork|TechArticle/;
/** Objects that are looked at: graphs of whole sites are cut. */
const MAX_OBJECTS = 2000;

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Reads every block; what is no JSON is left out. Fields come from the first article that has them. */
export function readJsonLd(blocks: readonly string[]): ArticleData {
  const found: ArticleData = {}, pages: ArticleData = {};
  for (const block of blocks) {
    const value = parse(block);
    if (value === undefined) continue;
    const queue: Json[] = [value], byId = new Map<string, { [key: string]: Json }>();
    const objects: { [key: string]: Json }[] = [];
    for (let i = 0; i < queue.length && i < MAX_OBJECTS; i++) {
      const at = queue[i]!;
      if (Array.isArray(at)) queue.push(...at.slice(0, MAX_OBJECTS));
      else if (at !== null && typeof at === 'object') {
        objects.push(at);
        if (typeof at['@id'] === 'string' && at['name'] !== undefined) byId.set(at['@id'], at);
        for (const key of ['@graph', 'mainEntity', 'mainEntityOfPage', 'hasPart', 'author']) if (typeof at[key] === 'object' && at[key] !== null) queue.push(at[key]);
      }
    }
    for (const object of objects) {
      const type = String(Array.isArray(object['@type']) ? object['@type'].join(' ') : object['@type'] ?? '');
      if (ARTICLE.test(type)) collect(object, type.includes('WebPage') ? pages : found, byId);
    }
  }
  return { ...pages, ...found };
}

function parse(block: string): Json | undefined {
  const text = block.trim().replace(/^<!\[CDATA\[|\]\]>$|^<!--|-->$|;$/g, '');
  try {
    return JSON.parse(text) as Json;
  } catch {
    try {
      return JSON.parse(text.replace(/\p{Cc}+/gu, ' ')) as Json; // bare line breaks in strings
    } catch {
      return undefined;
    }
  }
}

function collect(object: { [key: string]: Json }, to: ArticleData, byId: ReadonlyMap<string, { [key: string]: Json }>): void {
  const set = (key: keyof ArticleData, value: string | undefined): void => {
    if (value !== undefined && value.trim() !== '' && to[key] === undefined) to[key] = value.trim();
  };
  set('headline', textIn(object['headline']) ?? textIn(object['name']));
  set('author', namesOf(object['author'] ?? object['creator'], byId));
  set('datePublished', textIn(object['datePublished']) ?? textIn(object['dateCreated']) ?? textIn(object['uploadDate']));
  set('dateModified', textIn(object['dateModified']));
  set('articleBody', textIn(object['articleBody']));
  set('language', textIn(object['inLanguage']));
}

const textIn = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined);

function namesOf(value: Json | undefined, byId: ReadonlyMap<string, { [key: string]: Json }>): string | undefined {
  const names: string[] = [];
  for (const one of Array.isArray(value) ? value.slice(0, 20) : [value]) {
    if (typeof one === 'string') {
      if (!/^https?:/.test(one)) names.push(one);
    } else if (one !== null && one !== undefined && typeof one === 'object' && !Array.isArray(one)) {
      const name = textIn(one['name']) ?? textIn(byId.get(String(one['@id']))?.['name']);
      if (name !== undefined) names.push(name);
    }
  }
  return names.length === 0 ? undefined : [...new Set(names.map((name) => name.trim()))].join(', ');
}
