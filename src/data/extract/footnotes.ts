// Footnotes: which elements are notes, and the labels that references to them get. Layer: data.

import { textOf } from './clean-main.ts';
import { visit, type Element } from './page-tree.ts';

const NOTE_ID = /^(?:user-content-)?(?:fn|footnote|ftn|_ftn|note|cite_note|endnote|easy-footnote-bottom|sdfootnote|en)[-:_.]?\w/i;
const REFERENCE = /footnote|noteref|fnref|sidenote/i;
const NOTE_TAGS = new Set('li p div aside dd section'.split(' '));

/** Ids of notes below an element that something refers to, with labels in the order of first reference: 1, 2, … */
export function collectNotes(main: Element): ReadonlyMap<string, string> {
  const wanted: string[] = [], seen = new Set<string>(), there = new Set<string>();
  visit(main, (element) => {
    const id = element.attributes['id'];
    if (id !== undefined && NOTE_TAGS.has(element.tag)) there.add(id);
    if (element.tag !== 'a') return;
    const href = element.attributes['href'];
    if (href === undefined || !href.startsWith('#') || href.length < 2) return;
    const target = href.slice(1), inSup = element.parent?.tag === 'sup' || element.children.some((child) => typeof child !== 'string' && child.tag === 'sup');
    const named = REFERENCE.test(`${element.attributes['class'] ?? ''} ${element.attributes['rel'] ?? ''} ${element.attributes['role'] ?? ''}`);
    const counts = /^\s*\[?\d{1,3}\]?\s*$/.test(textOf(element, 12));
    if ((inSup || named || (NOTE_ID.test(target) && counts)) && !/ref/i.test(target) && !seen.has(target)) {
      seen.add(target);
      wanted.push(target);
    }
  });
  return new Map(wanted.filter((id) => there.has(id)).map((id, i) => [id, String(i + 1)]));
}
