// From a page's HTML to its main text, and what is known of it. Layer: data.
// parse → listen (metadata) → take out what is unseen → measure → take out boilerplate → choose → clean → render.
// Time is linear in the page but for nesting, which is bounded; so are depth, nodes and length (page-tree.ts).

import { identifyLanguage } from '../clean/language.ts';
import { chooseMain, leadsOf } from './choose-main.ts';
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
  /** Whether Markdown is wanted; true. Text alone takes a fifth less time. */
  markdown?: boolean;
  /** Links in Markdown; true. */
  links?: boolean;
  /** Pictures in Markdown, their captions and alternative texts; false. */
  images?: boolean;
  limits?: Partial<PageLimits>;
};

/** What a page says. `text` and `markdown` are empty where it says nothing. */
export type ExtractedPage = Metadata & {
  /** Paragraphs apart by an empty line, no markup. */
  text: string;
  markdown: string; // '' where it was not wanted
  /** Whether a limit cut the page. */
  truncated: boolean;
};

/** A text shorter than this makes us doubt: what was hidden or told to be boilerplate is then looked at once more. */
const DOUBTFUL = 250;
/** Longer pages are not looked at again: their time is bounded too. */
const MAX_RETRIED = 2 ** 21;
/** Enough of a text to tell its language by, and how sure that has to be. */
const LANGUAGE_CHARS = 2000;
const LANGUAGE_CONFIDENCE = 0.5;
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
  if (first.text.length >= DOUBTFUL || html.length > MAX_RETRIED) return finish(first);
  for (const mode of ['uncovered', 'lenient'] as const) {
    const next = attempt(html, options, limits, mode);
    // Much longer, so that a short notice is not lost among what surrounds it.
    if (next.text.length > 3 * first.text.length + DOUBTFUL) return finish(next);
  }
  return finish(first);
}

/** A page that declares no language is in that of its text. */
function finish(page: ExtractedPage): ExtractedPage {
  if (page.language !== undefined || page.text === '') return page;
  const { language, confidence } = identifyLanguage(page.text.slice(0, LANGUAGE_CHARS));
  return confidence >= LANGUAGE_CONFIDENCE ? { ...page, language } : page;
}

function attempt(html: string, options: ExtractOptions, limits: PageLimits, mode: 'strict' | 'uncovered' | 'lenient'): ExtractedPage {
  const { root, head, truncated } = parsePage(html, limits);
  const article = readJsonLd(head.jsonLd), url = options.url ?? '';
  const metadata = metadataOf(head, article, listen(root), url);
  dropUnseen(root, { hidden: mode !== 'strict' });
  const measured = measureTree(root);
  const comments = mode !== 'lenient' ? dropBoilerplate(root, measured) : [];
  const main = chooseMain(root, measured), isList = measured.get(main)!.prose < LIST_PROSE, leads = leadsOf(main, measured);
  cleanMain(main, measured, { title: metadata.title ?? '', images: options.images ?? false, links: isList });
  const render = { links: options.links ?? true, images: options.images ?? false, base: url, notes: collectNotes(main) };
  const parts = [...leads, main, ...(options.comments === true ? comments : [])];
  const write = (markdown: boolean): string => renderBlocks(parts, { ...render, markdown });
  return { ...metadata, text: write(false), markdown: options.markdown === false ? '' : write(true), truncated };
}
