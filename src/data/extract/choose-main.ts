// Which element holds the main text. Layer: data.
// Each block lends its worth as prose to its ancestors, the nearer the more (as Arc90's Readability did: 1, 1/2, 1/6, 1/9 …);
// the best of them grows upwards until it holds enough of the page's prose, since long pages are cut into sections.

import { BLOCK_TAGS, type Features, type Measured } from './measure-tree.ts';
import type { Element } from './page-tree.ts';

/** Levels that a block lends to. */
const LEVELS = 5;
/** The main text has at least this share of the prose that is left when boilerplate is gone; else it is in several parts. */
const COVERAGE = 0.55;
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

function grow(best: Element, root: Element, measured: Measured, total: number): Element {
  let at = best;
  while (at !== root && at.parent !== undefined && measured.get(at)!.prose < COVERAGE * total) at = at.parent;
  // A parent that adds only prose of the same kind: parts of one text.
  return at;
}
