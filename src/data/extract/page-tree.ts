// A page as a compact tree: what later steps look at, and nothing else. Layer: data.
// htmlparser2's tokenizer gives offsets into the page; this file keeps the open elements itself, so that depth, number of
// nodes and length are bounded whatever the page holds. Tags that close one another follow the HTML standard's "optional
// tags" (section 13.1.2.4); misnested formatting is not repaired, as it changes no text.

import { Tokenizer } from 'htmlparser2';
import { skipScripts } from './skip-scripts.ts';

/** An element. Attributes are those of {@link KEPT}, the first of each name, entities decoded. */
export type Element = {
  tag: string;
  attributes: Attributes;
  parent: Element | undefined;
  /** Elements, and runs of text as the page has them. */
  children: (Element | string)[];
};

export type Attributes = Readonly<Record<string, string | undefined>>;

/** What the parser met beside the tree. */
export type Page = {
  root: Element;
  /** `<title>`, `<meta>`, `<link>`, `<html>` and JSON-LD as found, wherever they stand. */
  head: PageHead;
  /** True if a limit cut the page. */
  truncated: boolean;
};

export type PageHead = {
  title: string;
  htmlLanguage: string;
  /** Lower-case name, property, http-equiv or itemprop to the first content that is not empty. */
  meta: Map<string, string>;
  jsonLd: string[];
  canonical: string;
};

/** Bounds of one page. */
export type PageLimits = {
  /** UTF-16 units that are read; 8 Mi: the longest hand-written pages (specifications) have 13 MB of HTML at most, articles 5. */
  maxChars: number;
  /** Elements below one another; deeper ones melt into their ancestor. 512 is where browsers stop too. */
  maxDepth: number;
  /** Elements and runs of text. A million is 200 MB of JavaScript objects, about. */
  maxNodes: number;
};

export const PAGE_LIMITS: PageLimits = { maxChars: 2 ** 23, maxDepth: 512, maxNodes: 1_000_000 };
/** Of one attribute; longer ones are data (inlined images), of which the beginning is enough. */
const MAX_ATTRIBUTE = 4096;
/** Of JSON-LD in a page, all together. */
const MAX_JSON_LD = 2 ** 21;

const KEPT = new Set(('id class role itemprop itemtype itemscope hidden aria-hidden aria-modal style href src alt title lang datetime rel type property ' +
  'name content http-equiv start value colspan rowspan data-lang data-language data-src data-latex data-math data-tex alttext encoding display language data-srcset srcset open ' +
  'data-callout data-original data-nosnippet').split(' '));
const LONGEST_KEPT = 'data-original'.length;
const VOID = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));
/** Their text is no text. */
const SILENT = new Set('style template iframe object noembed noframes applet canvas audio video'.split(' '));
const P_CLOSERS = new Set(('address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 ' +
  'header hgroup hr main menu nav ol p pre search section summary table ul').split(' '));
/** An opening tag closes these of the list, unless one of the second stands between. */
const CLOSED_BY: Readonly<Record<string, readonly [closes: ReadonlySet<string>, until: ReadonlySet<string>]>> = (() => {
  const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));
  const cells = set('td th'), rows = set('tr td th'), table = set('table');
  const list = set('ul ol menu dir'), terms = set('dl');
  return {
    li: [set('li'), list],
    dt: [set('dt dd'), terms],
    dd: [set('dt dd'), terms],
    td: [cells, table],
    th: [cells, table],
    tr: [rows, table],
    tbody: [set('thead tbody tfoot tr td th caption colgroup'), table],
    tfoot: [set('thead tbody tfoot tr td th caption colgroup'), table],
    thead: [set('caption colgroup'), table],
    option: [set('option'), set('select datalist')],
    body: [set('head title'), set('body')],
  };
})();
/** A stray closing tag of something inside does not leave these. */
const WALLS = new Set('table td th'.split(' '));

/** Parses a page: linear in its length, never deeper or larger than the limits. */
export function parsePage(html: string, limits: PageLimits = PAGE_LIMITS): Page {
  const builder = new TreeBuilder(skipScripts(html.length > limits.maxChars ? html.slice(0, limits.maxChars) : html), limits);
  return builder.run(html.length > limits.maxChars);
}

class TreeBuilder {
  readonly #html: string;
  readonly #limits: PageLimits;
  readonly #root: Element = { tag: '#page', attributes: {}, parent: undefined, children: [] };
  readonly #head: PageHead = { title: '', htmlLanguage: '', meta: new Map(), jsonLd: [], canonical: '' };
  #open: Element = this.#root;
  #depth = 0;
  /** How many elements of each tag are open, so that a stray closing tag costs nothing. */
  readonly #openTags = new Map<string, number>();
  /** Opening tags beyond the deepest level that wait for their closing ones. */
  #overflow = 0;
  #nodes = 0;
  #full = false;
  #tag = '';
  #attributes: Record<string, string> = {};
  #name = '';
  #value = '';
  #script: string[] | undefined;
  #title: string[] | undefined;
  #jsonLdChars = 0;
  #tokenizer: Tokenizer | undefined;

  constructor(html: string, limits: PageLimits) {
    this.#html = html;
    this.#limits = limits;
  }

  run(cut: boolean): Page {
    const slice = (start: number, end: number): string => this.#html.slice(start, end);
    const nothing = (): void => {};
    const tokenizer = new Tokenizer({ decodeEntities: true }, {
      onattribname: (start, end) => {
        const name = end - start > LONGEST_KEPT ? '' : slice(start, end).toLowerCase();
        this.#name = KEPT.has(name) && this.#attributes[name] === undefined ? name : '';
        this.#value = '';
      },
      onattribdata: (start, end) => {
        if (this.#name !== '' && this.#value.length < MAX_ATTRIBUTE) this.#value += slice(start, Math.min(end, start + MAX_ATTRIBUTE));
      },
      onattribentity: (code) => {
        if (this.#name !== '') this.#value += String.fromCodePoint(code);
      },
      onattribend: () => {
        if (this.#name !== '') this.#attributes[this.#name] = this.#value;
      },
      onopentagname: (start, end) => {
        this.#tag = slice(start, end).toLowerCase();
        this.#attributes = Object.create(null) as Record<string, string>;
      },
      onopentagend: () => this.#openTag(false),
      onselfclosingtag: () => this.#openTag(true),
      onclosetag: (start, end) => this.#closeTag(slice(start, end).toLowerCase()),
      ontext: (start, end) => this.#text(slice(start, end)),
      ontextentity: (code) => this.#text(String.fromCodePoint(code)),
      oncdata: nothing,
      oncomment: nothing,
      ondeclaration: nothing,
      onprocessinginstruction: nothing,
      onend: nothing,
    });
    this.#tokenizer = tokenizer;
    tokenizer.write(this.#html);
    tokenizer.end();
    return { root: this.#root, head: this.#head, truncated: cut || this.#full };
  }

  #openTag(selfClosing: boolean): void {
    const tag = this.#tag, attributes = this.#attributes;
    if (tag === 'meta' || tag === 'link' || tag === 'html') this.#headTag(tag, attributes);
    if (tag === 'title' && this.#head.title === '' && this.#open.tag !== 'svg') this.#title = [];
    if (tag === 'script') {
      const type = attributes['type'] ?? '';
      this.#script = /ld\+json|math\/(?:tex|mml)/i.test(type) ? [] : undefined;
    }
    // A self-closing mark means something in SVG and MathML only; elsewhere HTML ignores it, but pages mean it for these.
    const isVoid = VOID.has(tag) || (selfClosing && (this.#inForeign() || tag.includes('-')));
    this.#implyEnds(tag);
    if (tag === 'html' || tag === 'head') return;
    if (tag === 'body' && this.#hasBody()) return;
    if (isVoid) {
      this.#append({ tag, attributes, parent: this.#open, children: [] });
      return;
    }
    if (this.#depth >= this.#limits.maxDepth) {
      this.#overflow++;
      return;
    }
    const element: Element = { tag, attributes, parent: this.#open, children: [] };
    if (!this.#append(element)) return;
    this.#open = element;
    this.#openTags.set(tag, (this.#openTags.get(tag) ?? 0) + 1);
    this.#depth++;
  }

  #inForeign(): boolean {
    for (let at: Element | undefined = this.#open, up = 0; at !== undefined && up < 16; at = at.parent, up++) if (at.tag === 'svg' || at.tag === 'math') return true;
    return false;
  }

  /** What a second body holds goes on in the first. */
  #hasBody(): boolean {
    return this.#root.children.some((child) => typeof child !== 'string' && child.tag === 'body');
  }

  #headTag(tag: string, attributes: Attributes): void {
    const head = this.#head;
    if (tag === 'html') head.htmlLanguage ||= attributes['lang'] ?? '';
    if (tag === 'link' && attributes['rel'] === 'canonical') head.canonical ||= attributes['href'] ?? '';
    if (tag !== 'meta') return;
    const content = attributes['content']?.trim();
    if (content === undefined || content === '') return;
    for (const key of [attributes['property'], attributes['name'], attributes['itemprop'], attributes['http-equiv']]) {
      if (key !== undefined && head.meta.size < 1000 && !head.meta.has(key.toLowerCase())) head.meta.set(key.toLowerCase(), content);
    }
  }

  #implyEnds(tag: string): void {
    if (this.#overflow > 0) return;
    if (P_CLOSERS.has(tag)) this.#closeParagraph();
    const rule = CLOSED_BY[tag];
    if (rule === undefined) return;
    const [closes, until] = rule;
    let last: Element | undefined;
    for (let at: Element | undefined = this.#open; at !== undefined && !until.has(at.tag); at = at.parent) {
      if (!closes.has(at.tag)) continue;
      last = at;
      if (closes.size < 3) break; // one of a list of equals: the nearest
    }
    if (last !== undefined) this.#leave(last);
  }

  /** A block ends an open paragraph, through formatting that was left open in it. */
  #closeParagraph(): void {
    for (let at: Element | undefined = this.#isOpen('p') ? this.#open : undefined; at !== undefined; at = at.parent) {
      if (at.tag === 'p') return this.#leave(at);
      if (WALLS.has(at.tag) || P_CLOSERS.has(at.tag) || at.tag === 'li' || at.tag === 'button') return;
    }
  }

  #isOpen(tag: string): boolean {
    return (this.#openTags.get(tag) ?? 0) > 0;
  }

  #leave(element: Element): void {
    const above = element.parent!;
    while (this.#open !== above) {
      this.#openTags.set(this.#open.tag, this.#openTags.get(this.#open.tag)! - 1);
      this.#open = this.#open.parent!;
      this.#depth--;
    }
  }

  #closeTag(tag: string): void {
    if (tag === 'title' && this.#title !== undefined) {
      this.#head.title = this.#title.join('');
      this.#title = undefined;
    }
    if (tag === 'script') this.#endScript();
    if (tag === 'html' || tag === 'body') return;
    if (this.#overflow > 0) {
      this.#overflow--;
      return;
    }
    for (let at = this.#open; at.parent !== undefined && this.#isOpen(tag); at = at.parent) {
      if (at.tag === tag) return this.#leave(at);
      if (WALLS.has(at.tag) && tag !== 'table' && tag !== 'tr' && tag !== 'tbody') break;
    }
    if (tag === 'br' || tag === 'p') this.#append({ tag, attributes: {}, parent: this.#open, children: [] });
  }

  #endScript(): void {
    const text = this.#script?.join('') ?? '';
    this.#script = undefined;
    if (text === '' || this.#open.tag !== 'script') return;
    if (/ld\+json/i.test(this.#open.attributes['type'] ?? '')) {
      if ((this.#jsonLdChars += text.length) <= MAX_JSON_LD) this.#head.jsonLd.push(text);
    } else this.#open.children.push(text);
  }

  #text(text: string): void {
    if (SILENT.has(this.#open.tag)) return;
    if (this.#open.tag === 'script') {
      this.#script?.push(text);
      return;
    }
    if (this.#title !== undefined) {
      if (this.#title.length < 100) this.#title.push(text);
      return;
    }
    const children = this.#open.children, last = children.length - 1, before = children[last];
    if (typeof before === 'string') children[last] = before + text;
    else this.#append(text);
  }

  #append(node: Element | string): boolean {
    if (++this.#nodes > this.#limits.maxNodes) {
      this.#full = true;
      this.#tokenizer?.pause();
      return false;
    }
    this.#open.children.push(node);
    return true;
  }
}

/** Calls back for an element and all below it, in the page's order. */
export function visit(element: Element, call: (element: Element) => void): void {
  call(element);
  for (const child of element.children) if (typeof child !== 'string') visit(child, call);
}
