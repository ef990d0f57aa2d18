// What stands in a line: text, emphasis, links, code, mathematics, references to footnotes. Layer: data.

import { formulaOf } from './render-math.ts';
import type { Element } from './page-tree.ts';
import { textOf } from './clean-main.ts';

export type RenderOptions = {
  /** Markdown; plain text otherwise. */
  markdown: boolean;
  links: boolean;
  images: boolean;
  /** Address that relative links are resolved against; '' leaves them as they are. */
  base: string;
  /** Ids that references to footnotes lead to, with their labels. */
  notes: ReadonlyMap<string, string>;
};

/** A line break that white space does not swallow; a control character that no page can hold, as NUL is replaced. */
export const BREAK = '\0';
const EMPHASIS: Readonly<Record<string, string>> = { em: '*', i: '*', cite: '*', dfn: '*', strong: '**', b: '**', del: '~~', s: '~~', strike: '~~', mark: '==' };
const CODE = new Set('code kbd samp tt'.split(' '));

/** Text of inline nodes; white space is still as in the page, see {@link tidyLine}. */
export function inlineOf(nodes: readonly (Element | string)[], options: RenderOptions): string {
  let line = '';
  for (const node of nodes) line += typeof node === 'string' ? (options.markdown ? escape(node) : node) : elementInline(node, options);
  return line;
}

function elementInline(element: Element, options: RenderOptions): string {
  const { tag } = element, { markdown } = options;
  if (tag === 'br') return BREAK;
  const formula = formulaOf(element);
  if (formula !== undefined) return formula.tex === '' ? '' : formula.display ? `${BREAK}$$${formula.tex}$$${BREAK}` : `$${formula.tex}$`;
  if (tag === 'img') return options.images ? image(element, options) : '';
  if (tag === 'sup' || tag === 'a') {
    const note = noteOf(element, options);
    if (note !== undefined) return note;
  }
  if (CODE.has(tag)) return codeSpan(textOf(element), markdown);
  if (tag === 'rp' || tag === 'rt') return ''; // readings beside Chinese and Japanese characters
  if (tag === 'wbr') return '';
  if (tag === 'q') return `“${inlineOf(element.children, options)}”`;
  if (tag === 'input') return markdown ? '[ ] ' : '';
  const inner = inlineOf(element.children, options);
  if (!markdown) return inner;
  const mark = EMPHASIS[tag];
  if (mark !== undefined) return around(inner, mark);
  return tag === 'a' && options.links ? link(element, inner, options) : inner;
}

/** Marks go inside the white space, as `** a **` is no emphasis. */
function around(inner: string, mark: string): string {
  const begin = inner.search(/[^\s\0]/);
  if (begin < 0 || inner.includes(BREAK) || inner.includes(mark)) return inner;
  const end = inner.trimEnd().length;
  return `${inner.slice(0, begin)}${mark}${inner.slice(begin, end)}${mark}${inner.slice(end)}`;
}

function link(element: Element, inner: string, options: RenderOptions): string {
  const href = resolveLink(element.attributes['href'] ?? '', options.base);
  if (href === '' || /^(?:javascript|data):/i.test(href) || inner.trim() === '' || inner.includes(BREAK)) return inner;
  const begin = inner.search(/\S/), end = inner.trimEnd().length;
  return `${inner.slice(0, begin)}[${inner.slice(begin, end).trim()}](${href.replace(/[\s()]/g, encodeURIComponent)})${inner.slice(end)}`;
}

function image({ attributes }: Element, { markdown, base }: RenderOptions): string {
  const alt = (attributes['alt'] ?? '').replace(/\s+/g, ' ').trim();
  let source = attributes['data-src'] ?? attributes['data-original'] ?? attributes['src'] ?? '';
  if (/^data:/i.test(source)) source = (attributes['data-srcset'] ?? attributes['srcset'] ?? '').trim().split(/[\s,]/)[0] ?? '';
  if (!markdown) return alt;
  return source === '' ? '' : `![${alt.replace(/[[\]]/g, '')}](${resolveLink(source, base).replace(/[\s()]/g, encodeURIComponent)})`;
}

export function resolveLink(href: string, base: string): string {
  const trimmed = href.trim();
  if (base === '' || trimmed === '') return trimmed;
  try {
    return new URL(trimmed, base).href;
  } catch {
    return trimmed;
  }
}

/** `[^1]` for a reference to a note that is on the page, '' for the way back from a note. */
function noteOf(element: Element, { notes, markdown }: RenderOptions): string | undefined {
  const anchor = element.tag === 'a' ? element : element.children.find((child): child is Element => typeof child !== 'string' && child.tag === 'a');
  if (anchor === undefined) return undefined;
  const href = anchor.attributes['href'] ?? '', label = href.startsWith('#') ? notes.get(href.slice(1)) : undefined;
  if (label !== undefined) return markdown ? `[^${label}]` : `[${label}]`;
  return element.tag === 'a' && isWayBack(element) ? '' : undefined;
}

const isWayBack = (element: Element): boolean => /backref|back-link|backlink|footnote-return/i.test(element.attributes['class'] ?? '') || /^(?:↩|↑|⤴|\^|\ufe0e|\ufe0f|\s)+$/u.test(textOf(element, 20)) && (element.attributes['href'] ?? '').startsWith('#');

function codeSpan(text: string, markdown: boolean): string {
  const code = text.replace(/\s+/g, ' ').trim();
  if (code === '' || !markdown) return text;
  const fence = code.includes('`') ? '``' : '`', pad = code.startsWith('`') || code.endsWith('`') ? ' ' : '';
  return fence + pad + code + pad + fence;
}

/** Characters that Markdown would read as marks where they stand. */
const escape = (text: string): string => (/[\\`*_[\]<]/.test(text) ? text.replace(/[\\`*[\]]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|<(?=[a-zA-Z/!])/gu, '\\$&') : text);

/** White space as browsers show it: runs are one space, breaks are kept. */
export function tidyLine(line: string): string {
  return line.replace(/[ \t\n\r\f]+/g, ' ').replace(/ *\0 */g, '\n').replace(/\n{3,}/g, '\n\n').replace(/^[ \n\u00a0]+|[ \n\u00a0]+$/g, '');
}
