// What is no content wherever it stands is taken out of the tree: controls, hidden elements, ways about the page, and what
// names tell to be boilerplate, unless it holds most of the page. Layer: data.

import type { Element } from './page-tree.ts';
import type { Features, Measured } from './measure-tree.ts';

export type PruneOptions = {
  /** Keep elements that a style or attribute hides: pages that a script uncovers. */
  hidden: boolean;
};

const NEVER = new Set('nav noscript button input select textarea option datalist dialog menu progress meter source track link meta base param footer optgroup style template iframe object noembed noframes applet canvas audio video'.split(' '));
const HIDDEN_STYLE = /(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)/i;
/** What holds this share of the page's prose is the page, whatever its names say. */
const PROTECTED = 0.4;
/** Renderers of mathematics hide the readable form beside the drawn one. */
const MATH_NAMES = /(?:^|\s)(?:katex|MathJax|mwe-math-element|mjx|tex|math)/;

/** Takes out what no reader sees or reads: needs no measures. */
export function dropUnseen(root: Element, options: PruneOptions): void {
  for (let i = 0; i < root.children.length; i++) {
    const child = root.children[i]!;
    if (typeof child === 'string') continue;
    if (isUnseen(child, options)) root.children[i] = ' '; // words around it stay apart
    else if (child.tag !== 'svg' && child.tag !== 'math') dropUnseen(child, options);
    else if (child.tag === 'svg') root.children[i] = '';
  }
}

function isUnseen(element: Element, { hidden }: PruneOptions): boolean {
  const { tag, attributes } = element;
  if (NEVER.has(tag)) return !(tag === 'footer' && inside(element, 'blockquote')) && !(tag === 'input' && attributes['type'] === 'checkbox');
  if (tag === 'script') return element.children.length === 0;
  if (attributes['data-nosnippet'] !== undefined && tag !== 'body') return true;
  if (hidden) return false;
  if (attributes['hidden'] !== undefined && attributes['hidden'] !== 'until-found' && !isFootnotes(element)) return true;
  if (attributes['style'] !== undefined && HIDDEN_STYLE.test(attributes['style']) && !isMath(element)) return true;
  return attributes['aria-hidden'] === 'true' && tag !== 'body' && !isMath(element);
}

const isFootnotes = ({ attributes }: Element): boolean => /footnote/i.test(`${attributes['class'] ?? ''} ${attributes['id'] ?? ''} ${attributes['role'] ?? ''}`);
const isMath = ({ tag, attributes }: Element): boolean => tag === 'math' || MATH_NAMES.test(attributes['class'] ?? '');

function inside(element: Element, tag: string): boolean {
  for (let at = element.parent, up = 0; at !== undefined && up < 3; at = at.parent, up++) if (at.tag === tag) return true;
  return false;
}

/**
 * Takes out what names tell to be boilerplate, and keeps the measures of what is above right.
 *
 * @returns the comment sections that were taken out
 */
export function dropBoilerplate(root: Element, measured: Measured): Element[] {
  const comments: Element[] = [], limit = PROTECTED * measured.get(root)!.prose;
  sweep(root, measured, limit, comments);
  return comments;
}

/** @returns what was taken out below `element`, to be subtracted above */
function sweep(element: Element, measured: Measured, limit: number, comments: Element[]): Features | undefined {
  let removed: Features | undefined;
  for (let i = 0; i < element.children.length; i++) {
    const child = element.children[i]!;
    if (typeof child === 'string') continue;
    const f = measured.get(child);
    if (f === undefined) continue;
    let gone: Features | undefined;
    if (isBoilerplate(child, f, limit)) {
      if (f.hint === 'comments') comments.push(child);
      element.children[i] = ' ';
      gone = f;
    } else gone = sweep(child, measured, limit, comments);
    if (gone !== undefined) removed = removed === undefined ? { ...gone } : add(removed, gone, 1);
  }
  if (removed !== undefined) add(measured.get(element)!, removed, -1);
  return removed;
}

function isBoilerplate(element: Element, f: Features, limit: number): boolean {
  if (f.prose > limit && f.prose > 0) return false;
  const { tag } = element;
  if (f.hint === 'comments') return tag !== 'article' && tag !== 'main';
  if (f.hint === 'boilerplate') {
    if (f.quotes > 0 && f.linkChars < 0.5 * f.chars) return false; // an embedded quotation

    // A name inside a paragraph is about formatting; a figure or a code block is content whatever its name.
    return tag !== 'a' && tag !== 'pre' && tag !== 'code' && tag !== 'figure' && tag !== 'img' && tag !== 'sup' && tag !== 'main' && tag !== 'math' && !/^h[1-6]$/.test(tag) && tag !== 'tr' && tag !== 'td';
  }
  if (tag === 'aside') return !isNote(element);
  if (tag === 'header') return f.headings === 0 && f.paragraphs < 2;
  return false;
}

const isNote = ({ attributes }: Element): boolean => /note|callout|admonition|alert|warning|tip|info|markdown/i.test(`${attributes['class'] ?? ''} ${attributes['role'] ?? ''} ${attributes['data-callout'] ?? ''}`);

function add(to: Features, what: Features, sign: 1 | -1): Features {
  to.chars += sign * what.chars;
  to.linkChars += sign * what.linkChars;
  to.marks += sign * what.marks;
  to.prose += sign * what.prose;
  to.paragraphs += sign * what.paragraphs;
  to.links += sign * what.links;
  to.images += sign * what.images;
  to.controls += sign * what.controls;
  to.quotes += sign * what.quotes;
  to.headings += sign * what.headings;
  return to;
}
