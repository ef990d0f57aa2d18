// EPUB: the chapters in the order of the book's spine, one document. Layer: data. See EPUB 3.3, 4 and 5.

import { posix } from 'node:path';
import { repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import { htmlText } from '../plain-html.ts';
import { packageMembers, startsWithMember } from '../packages.ts';
import type { Reader } from '../reader.ts';
import { dublinCore, elementsOf, firstTexts } from '../xml-text.ts';

export const epub: Reader = {
  name: 'epub',
  about: 'books (EPUB)',
  endings: ['epub'],
  types: ['application/epub+zip'],
  matches: (head) => startsWithMember(head, 'mimetypeapplication/epub+zip', 'META-INF/container.xml'),
  async *read(content, context) {
    const members = await packageMembers(content, context, (path) => /\.(opf|x?html?|xml)$/i.test(path)), textOf = (path: string): string | undefined => members.get(path)?.toString('utf8');
    const container = textOf('META-INF/container.xml') ?? '', root = elementsOf(container).find(({ name }) => name.replace(/^.*:/, '') === 'rootfile')?.attributes['full-path'] ?? '';
    const opf = textOf(root);
    if (opf === undefined) throw new RefusedError('damaged', `It does not say where its book is ("${root}").`);
    if (members.has('META-INF/encryption.xml') && /xmlenc#aes|adobe/i.test(textOf('META-INF/encryption.xml')!)) throw new RefusedError('encrypted', 'The book is protected.');
    const chapters: string[] = [];
    for (const path of spine(opf, posix.dirname(root))) {
      const chapter = textOf(path);
      if (chapter === undefined) context.bad({ file: `${content.file}!${path}` }, 'missing', 'The book names a chapter that is not there.');
      else chapters.push(htmlText(chapter, context.options.markdown));
    }
    const text = repaired(chapters.filter((chapter) => chapter !== '').join('\n\n'), context), licence = firstTexts(opf, ['dc:rights'])['dc:rights'];
    if (text.trim() === '') throw new RefusedError('no-text', 'It has no text.');
    yield { file: content.file, text, meta: dublinCore(opf), ...(licence === undefined ? {} : { licence }), sha256: content.sha256 };
  },
};

/** Paths of the chapters in reading order; the contents are no chapter. */
function spine(opf: string, folder: string): string[] {
  const items = new Map<string, { href: string; properties: string }>(), paths: string[] = [];
  for (const { name, attributes } of elementsOf(opf)) {
    const local = name.replace(/^.*:/, '');
    if (local === 'item' && attributes['id'] !== undefined) items.set(attributes['id'], { href: attributes['href'] ?? '', properties: attributes['properties'] ?? '' });
    const item = local === 'itemref' ? items.get(attributes['idref'] ?? '') : undefined;
    if (item !== undefined && !/\bnav\b/.test(item.properties)) paths.push(posix.normalize(posix.join(folder, safeDecode(item.href.split('#')[0]!))));
  }
  return paths;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
