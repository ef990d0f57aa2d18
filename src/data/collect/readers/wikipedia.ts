// Dumps of MediaWiki (Wikipedia and others): the pages of the main namespace as text. Layer: data.
// See https://www.mediawiki.org/wiki/Help:Export; dumps are bzip2, gzip or plain, multistream ones too.

import { Parser } from 'htmlparser2';
import { decodedText, repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import type { Reader } from '../reader.ts';
import { wikitextToText } from '../wikitext.ts';

type Page = { title: string; ns: string; id: string; text: string; timestamp: string; isRedirect: boolean };

/** What is taken of a page; `id` and `timestamp` are the first that come. */
const FIELDS: readonly string[] = ['title', 'ns', 'id', 'text', 'timestamp'];
/** The longest pages have 2 MB; of an endless one this much is held. */
const MAX_TEXT_CHARS = 2 ** 24;

export const wikipedia: Reader = {
  name: 'wikipedia',
  about: 'dumps of Wikipedia and other MediaWikis, wikitext to text',
  endings: [],
  matches: (head) => /<mediawiki[\s>]/.test(head.toString('latin1', 0, 2048)),
  async *read(content, context) {
    const { file } = content, pages: Page[] = [], site = { base: '', language: '' };
    let record = 0, page: Page | undefined, field = '', isWhole = false;
    const parser = new Parser({
      onopentag(name, attributes) {
        if (name === 'mediawiki') site.language = attributes['xml:lang'] ?? '';
        if (name === 'page') page = { title: '', ns: '', id: '', text: '', timestamp: '', isRedirect: false };
        if (name === 'redirect' && page !== undefined) page.isRedirect = true;
        field = name === 'base' || (FIELDS.includes(name) && page?.[name as 'id'] === '') ? name : '';
      },
      ontext(text) {
        if (field === 'base') site.base += text;
        else if (field !== '' && page !== undefined && page.text.length < MAX_TEXT_CHARS) page[field as 'text'] += text;
      },
      onclosetag(name, isImplied) {
        field = '';
        if (name === 'mediawiki') isWhole = !isImplied;
        if (name === 'page' && page !== undefined && !isImplied) pages.push(page);
        if (name === 'page') page = undefined;
      },
    }, { xmlMode: true, decodeEntities: true });
    for await (const text of decodedText(content, context)) {
      parser.write(text);
      for (const { title, ns, text, timestamp, isRedirect } of pages.splice(0)) {
        const at = record++;
        if (ns !== '0' || isRedirect) {
          context.source.count(isRedirect ? 'wikipedia.redirects' : 'wikipedia.other-namespaces');
          continue;
        }
        const plain = repaired(wikitextToText(text, context.options.markdown), context);
        const url = site.base === '' ? undefined : new URL(encodeURIComponent(title.replaceAll(' ', '_')), site.base).href;
        if (plain === '') context.bad({ file, record: at }, 'no-text', `Nothing is left of "${title.slice(0, 100)}".`);
        else yield { file, record: at, text: `${context.options.markdown ? '# ' : ''}${title}\n\n${plain}`, meta: { title, ...(url === undefined ? {} : { url }), ...(timestamp === '' ? {} : { date: timestamp }), ...(site.language === '' ? {} : { language: site.language }) } };
      }
    }
    parser.end();
    if (!isWhole) throw new RefusedError('truncated', `The dump ends before its end, after ${record} pages.`);
  },
};
