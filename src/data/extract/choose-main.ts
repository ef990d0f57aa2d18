// Which element holds the main text. Layer: data.
// Each block lends its worth as prose to its ancestors, the nearer the more (as Arc90's Readability did: 1, 1/2, 1/6, 1/9 …);
// the best of them grows upwards until it holds enough of the page's prose, since long pages are cut into sections.

import { BLOCK_TAGS, type Features, type Measured } from './measure-tree.ts';
import { visit, type Element } from './page-tree.ts';

/** Levels that a block lends to. */
const LEVELS = 5;
/** The main text has at least this share of the prose that is left when boilerplate is gone; else it is in several parts. */
const COVERAGE = 0.55;
/** Parts of one text are alike at most so far above its best part, and are no smaller than this share of it. */
const TWIN_LEVELS = 3;
const TWIN_SHARE = 0.15;
/** An article is on its own if it has some paragraphs and three times the prose of any other. */
const SOLE_CHARS = 1000;
const SOLE_FACTOR = 3;
/** A lead is one to a few sentences; it stands near. */
const LEAD_LEVELS = 8;
const MIN_LEAD = 40;
const MAX_LEAD = 1000;
/** Factors of what tags and names promise; reasoned, not fitted: a promise may tip a balance, not make a text. */
const PROMISES = { articleBody: 2, article: 1.4, main: 1.2, hint: 1.25, poor: 0.6 };

/** @returns the element; the root itself if nothing on the page is prose */
export function chooseMain(root: Element, measured: Measured): Element {
  const scores = new Map<Element, number>();
  lend(root, measured, scores);
  const total = measured.get(root)!.prose;
  let best: Element | undefined, most = 0;
  for (const [element, score] of scores) {
    const value = score * promise(element, measured.get(element)!);
    if (value > most) [best, most] = [element, value];
  }
  if (best === undefined) return root;
  return grow(best, root, measured, total);
}

function lend(element: Element, measured: Measured, scores: Map<Element, number>): void {
  const f = measured.get(element)!;
  let below = 0;
  for (const child of element.children) {
    if (typeof child === 'string') continue;
    const g = measured.get(child);
    if (g === undefined) continue;
    if (g.hasBlocks || BLOCK_TAGS.has(child.tag)) below += g.prose;
    if (g.prose > 0) lend(child, measured, scores);
  }
  const own = f.prose - below;
  if (own <= 0.01) return;
  let level = f.hasBlocks ? 0 : 1; // a block's own text beside blocks counts for itself, a paragraph for its parent
  let at: Element | undefined = f.hasBlocks ? element : element.parent;
  for (; at !== undefined && level <= LEVELS; at = at.parent, level++) {
    scores.set(at, (scores.get(at) ?? 0) + own / (level <= 1 ? 1 : level === 2 ? 2 : 3 * (level - 1)));
  }
}

function promise(element: Element, f: Features): number {
  const density = f.chars > 0 ? f.linkChars / f.chars : 0, { tag, attributes } = element;
  let factor = 1 - density;
  if (/articleBody/i.test(attributes['itemprop'] ?? '')) factor *= PROMISES.articleBody;
  else if (tag === 'article') factor *= PROMISES.article;
  else if (tag === 'main') factor *= PROMISES.main;
  else if (f.hint === 'main') factor *= PROMISES.hint;
  else if (f.hint === 'comments' || f.hint === 'boilerplate' || tag === 'ul' || tag === 'ol' || tag === 'li' || tag === 'blockquote' || tag === 'p') factor *= PROMISES.poor;
  return factor;
}

/**
 * Up to the element that holds all parts of a text: past twins (parts with the same tag and classes beside one another), and
 * until enough of the page is covered; but not out of an article that has no equal on the page.
 */
function grow(best: Element, root: Element, measured: Measured, total: number): Element {
  let at = pastTwins(best, root, measured);
  while (at !== root && at.parent !== undefined && measured.get(at)!.prose < COVERAGE * total) {
    if (isSoleArticle(at, root, measured)) break;
    at = at.parent;
  }
  return at;
}

function pastTwins(best: Element, root: Element, measured: Measured): Element {
  let found = best;
  for (let at = best, up = 0; up < TWIN_LEVELS && at !== root && at.parent !== undefined && at.parent !== root; at = at.parent, up++) {
    if (at.tag === 'article' || at.tag === 'main' || at.tag === 'body') break;
    const name = at.attributes['class'], prose = measured.get(at)!.prose;
    const twin = name !== undefined && at.parent.children.some((other) => typeof other !== 'string' && other !== at && other.tag === at.tag && other.attributes['class'] === name && (measured.get(other)?.prose ?? 0) > TWIN_SHARE * prose);
    if (twin) found = at.parent;
  }
  return found;
}

/** An article that is long, and several times longer than any other. */
function isSoleArticle(at: Element, root: Element, measured: Measured): boolean {
  if (at.tag !== 'article') return false;
  const { prose, chars } = measured.get(at)!;
  if (chars < SOLE_CHARS) return false;
  let alone = true;
  visit(root, (other) => {
    if (other.tag === 'article' && other !== at && !contains(at, other) && (measured.get(other)?.prose ?? 0) * SOLE_FACTOR > prose) alone = false;
  });
  return alone;
}

function contains(above: Element, below: Element): boolean {
  for (let at: Element | undefined = below; at !== undefined; at = at.parent) if (at === above) return true;
  return false;
}

/**
 * The lead of an article, where it stands before the main element in what holds both: names tell it.
 *
 * @returns elements in the page's order
 */
export function leadsOf(main: Element, measured: Measured): Element[] {
  const leads: Element[] = [];
  let crossed = false;
  for (let at = main, up = 0; up < LEAD_LEVELS && at.parent !== undefined && at.parent.tag !== 'body'; at = at.parent, up++) {
    crossed ||= at.tag === 'article'; // what stands before it may be another's, unless it is its header
    const here: Element[] = [];
    for (const child of at.parent.children) {
      if (child === at) break;
      if (typeof child !== 'string' && (!crossed || child.tag === 'header')) findLeads(child, measured, here, 0);
    }
    leads.unshift(...here);
  }
  return leads.slice(0, 1);
}

function findLeads(element: Element, measured: Measured, leads: Element[], depth: number): void {
  const f = measured.get(element);
  if (f === undefined || f.chars < MIN_LEAD) return;
  if (f.hint === 'lead' && f.chars < MAX_LEAD && f.linkChars < 0.3 * f.chars && f.controls === 0) leads.push(element);
  else if (depth < 4) { for (const child of element.children) if (typeof child !== 'string') findLeads(child, measured, leads, depth + 1); }
}
