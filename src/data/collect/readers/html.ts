// Web pages: their main text. Layer: data.

import type { Meta } from '../../document.ts';
import { decodePage, type ExtractedPage, extractPage } from '../../extract/index.ts';
import { repaired } from '../decode.ts';
import { MAX_PAGE_BYTES } from '../limits.ts';
import type { Reader } from '../reader.ts';

export const html: Reader = {
  name: 'html',
  about: 'web pages, of which the main text is taken',
  endings: ['html', 'htm', 'xhtml', 'xht'],
  types: ['text/html', 'application/xhtml+xml'],
  matches: (head) => /^\s*(<!--[^>]{0,1000}-->\s*)*(<\?xml[^>]{0,200}\?>\s*)?<(!doctype\s+html|html)[\s>]/i.test(head.toString('latin1', 0, 2048).replace(/^(\xef\xbb\xbf|\xff\xfe)/, '').replaceAll('\0', '')),
  async *read(content, context) {
    const bytes = await content.whole(Math.min(MAX_PAGE_BYTES, context.budget.limits.heldBytes)), { html, encoding } = decodePage(bytes, content.type);
    const page = extractPage(html, content.url === undefined ? {} : { url: content.url });
    context.source.count(`encoding.${encoding}`);
    if (page.truncated) context.source.count('html.cut');
    const text = repaired(context.options.markdown ? page.markdown : page.text, context);
    if (text.trim() === '') context.bad({ file: content.file, bytes: bytes.length }, 'no-text', 'The page has no main text.');
    else yield { file: content.file, text, meta: pageMeta(page), sha256: content.sha256 };
  },
};

/** What a page says of itself, as a document's meta. */
export function pageMeta({ title, author, date, language }: Pick<ExtractedPage, 'title' | 'author' | 'date' | 'language'>): Meta {
  return Object.fromEntries(Object.entries({ title, author, date, language }).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== ''));
}
