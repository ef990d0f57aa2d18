// From a page's HTML to its main text, and what is known of it. Layer: data.
// parse → listen (metadata) → take out what is unseen → measure → take out boilerplate → choose → clean → render.
// Time is linear in the page but for nesting, which is bounded; so are depth, nodes and length (page-tree.ts).

import { chooseMain } from './choose-main.ts';
import { cleanMain } from './clean-main.ts';
import { collectNotes } from './footnotes.ts';
import { readJsonLd } from './json-ld.ts';
import { measureTree } from './measure-tree.ts';
import { listen, metadataOf, type Metadata } from './metadata.ts';
import { PAGE_LIMITS, parsePage, type PageLimits } from './page-tree.ts';
import { dropBoilerplate, dropUnseen } from './prune-page.ts';
import { renderBlocks } from './render-blocks.ts';

export type ExtractOptions = {
  /** Where the page was read: relative links are resolved against it. */
  url?: string;
  /** Readers' comments after the main text, where names tell them; false. */
  comments?: boolean;
  /** Links in Markdown; true. */
  links?: boolean;
  /** Pictures in Markdown, their captions and alternative texts; false. */
  images?: boolean;
  /** Asked for the text's language where the page declares none. */
  identifyLanguage?: (text: string) => { language: string; confidence: number };
  limits?: Partial<PageLimits>;
};

/** What a page says. `text` and `markdown` are empty where it says nothing. */
export type ExtractedPage = Metadata & {
  /** Paragraphs apart by an empty line, no markup. */
  text: string;
  markdown: string;
  /** Whether a limit cut the page. */
  truncated: boolean;
};

/** A text shorter than this makes us doubt: what was hidden or told to be boilerplate is then looked at once more. */
const DOUBTFUL = 250;
/** Below this share of prose a page is a list (an index, a directory), and keeps its links. */
const LIST_PROSE = 5;

/**
 * Extracts the main text of a page. Never throws for what a page holds.
 *
 * @param html the decoded page, see decodePage
 */
export function extractPage(html: string, options: ExtractOptions = {}): ExtractedPage {
  const limits = { ...PAGE_LIMITS, ...options.limits };
  const first = attempt(html, options, limits, 'strict');
  if (first.text.length >= DOUBTFUL) return finish(first, options);
  const second = attempt(html, options, limits, 'lenient');
  // Half as much again, so that a short notice is not lost among what surrounds it.
  return finish(second.text.length > 2 * first.text.length + 100 ? second : first, options);
}

function finish(page: ExtractedPage, { identifyLanguage }: ExtractOptions): ExtractedPage {
  if (page.language !== undefined || identifyLanguage === undefined || page.text === '') return page;
  const { language, confidence } = identifyLanguage(page.text.slice(0, 4000));
  return confidence > 0.5 ? { ...page, language } : page;
}

function attempt(html: string, options: ExtractOptions, limits: PageLimits, mode: 'strict' | 'lenient'): ExtractedPage {
  const { root, head, truncated } = parsePage(html, limits);
  const article = readJsonLd(head.jsonLd), url = options.url ?? '';
  const metadata = metadataOf(head, article, listen(root), url);
  dropUnseen(root, { hidden: mode === 'lenient' });
  const measured = measureTree(root);
  const comments = mode === 'strict' ? dropBoilerplate(root, measured) : [];
  const main = chooseMain(root, measured), isList = measured.get(main)!.prose < LIST_PROSE;
  cleanMain(main, measured, { title: metadata.title ?? '', images: options.images ?? false, links: isList });
  const render = { links: options.links ?? true, images: options.images ?? false, base: url, notes: collectNotes(main) };
  const parts = options.comments === true ? [main, ...comments] : [main];
  const write = (markdown: boolean): string => parts.map((part) => renderBlocks(part, { ...render, markdown })).filter((text) => text !== '').join('\n\n');
  return { ...metadata, text: write(false), markdown: write(true), truncated };
}
