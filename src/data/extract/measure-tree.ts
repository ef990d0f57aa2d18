// Features of every element of a page, from the leaves up. Layer: data.

import { HintReader, type Hint } from './class-hints.ts';
import type { Element } from './page-tree.ts';

/** What is known of an element; sums are over all that it holds. Lengths are in {@link weigh}ed characters. */
export type Features = {
  /** Text without white space at its ends. */
  chars: number;
  /** Of these, inside links. */
  linkChars: number;
  /** Sentence marks and commas of all scripts. */
  marks: number;
  /** Worth as prose: what {@link proseOf} gives its blocks. */
  prose: number;
  /** Elements that are paragraphs or worth as much. */
  paragraphs: number;
  links: number;
  images: number;
  /** Form controls. */
  controls: number;
  /** Block quotes and code blocks: content, whatever the names around them say. */
  quotes: number;
  headings: number;
  /** Whether a block stands below: it is no paragraph itself. */
  hasBlocks: boolean;
  hint: Hint;
};

export type Measured = ReadonlyMap<Element, Features>;

export const BLOCK_TAGS = new Set(('address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form ' +
  'h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre search section summary table caption tbody td tfoot th thead tr ul #page').split(' '));
const HEADING = /^h[1-6]$/;
const CONTROLS = new Set('input button select textarea option'.split(' '));
/** Below 25 characters a block is no sentence (the bound of Arc90's Readability, 2009). */
export const MIN_PROSE = 25;

/** Measures a whole tree. Depth is bounded by the tree's own. */
export function measureTree(root: Element): Measured {
  const measured = new Map<Element, Features>(), hints = new HintReader();
  measureElement(root, false, measured, hints);
  return measured;
}

function measureElement(element: Element, inLink: boolean, measured: Map<Element, Features>, hints: HintReader): Features {
  const { tag } = element, isLink = inLink || (tag === 'a' && element.attributes['href'] !== undefined);
  const f: Features = { chars: 0, linkChars: 0, marks: 0, prose: 0, paragraphs: 0, links: 0, images: 0, controls: 0, quotes: 0, headings: 0, hasBlocks: false, hint: hints.read(element) };
  // Text that stands in this element itself, or in formatting inside it: the paragraph that a block without `<p>` holds.
  let own = 0, ownLinks = 0, ownMarks = 0;
  for (const child of element.children) {
    if (typeof child === 'string') {
      if (tag === 'script') continue;
      const { chars, marks } = weigh(child);
      own += chars;
      ownMarks += marks;
      if (isLink) ownLinks += chars;
      continue;
    }
    const g = measureElement(child, isLink, measured, hints), isBlock = g.hasBlocks || BLOCK_TAGS.has(child.tag);
    if (isBlock) {
      f.hasBlocks = true;
      f.chars += g.chars;
      f.linkChars += g.linkChars;
      f.marks += g.marks;
      f.prose += g.prose;
      f.paragraphs += g.paragraphs;
    } else {
      own += g.chars;
      ownLinks += g.linkChars;
      ownMarks += g.marks;
    }
    f.links += g.links;
    f.images += g.images;
    f.controls += g.controls;
    f.quotes += g.quotes;
    f.headings += g.headings;
  }
  f.chars += own;
  f.linkChars += ownLinks;
  f.marks += ownMarks;
  if (tag === 'a') f.links++;
  else if (tag === 'img' || tag === 'picture') f.images++;
  else if (CONTROLS.has(tag)) f.controls++;
  else if (tag === 'blockquote' || tag === 'pre') f.quotes++;
  else if (HEADING.test(tag)) f.headings++;
  if ((BLOCK_TAGS.has(tag) || f.hasBlocks) && !HEADING.test(tag)) {
    const prose = proseOf(own, ownLinks, ownMarks);
    f.prose += prose;
    if (prose > 0) f.paragraphs++;
  }
  measured.set(element, f);
  return f;
}

/**
 * Worth of one block as prose: 1 + marks + one for each 100 characters up to 3, times the share outside links (Arc90's
 * Readability counts commas so; here all marks of sentences count, so that Chinese and lists of names are judged alike).
 */
export function proseOf(chars: number, linkChars: number, marks: number): number {
  if (chars < MIN_PROSE) return 0;
  const density = linkChars / chars;
  if (density > 0.6) return 0;
  return (1 + Math.min(marks, 1 + chars / 40) + Math.min(3, chars / 100)) * (1 - density);
}

/** A Chinese character says about as much as two to three letters: translations have that ratio of lengths. */
const WIDE = 2.5;

/** Length without white space in excess, wide characters at their weight, and marks of sentences. */
export function weigh(text: string): { chars: number; marks: number } {
  let chars = 0, marks = 0, space = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 32 || (code >= 9 && code <= 13) || code === 160) {
      if (!space) chars++;
      space = true;
      continue;
    }
    space = false;
    if (code < 0x2e80) {
      chars++;
      if (code === 44 || code === 46 || code === 33 || code === 63 || code === 59 || code === 0x60c || code === 0x964 || code === 0x61f) marks++;
    } else {
      chars += WIDE;
      if (code === 0x3002 || code === 0xff0c || code === 0x3001 || code === 0xff01 || code === 0xff1f || code === 0xff1b) marks++;
    }
  }
  return { chars: space && chars > 0 ? chars - 1 : chars, marks };
}
