// Small XML files, such as those of books and office documents hold. Layer: data (pure).

import { Parser } from 'htmlparser2';

/** The text of the first element of each name, as `dc:title`; names are as written. */
export function firstTexts(xml: string, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  let name: string | undefined, text = '';
  const parser = new Parser({
    onopentagname(tag) {
      if (name === undefined && names.includes(tag) && !Object.hasOwn(found, tag)) [name, text] = [tag, ''];
    },
    ontext(part) {
      if (name !== undefined) text += part;
    },
    onclosetag(tag) {
      if (tag !== name) return;
      if (text.trim() !== '') found[tag] = text.trim().replace(/\s+/g, ' ');
      name = undefined;
    },
  }, { xmlMode: true, decodeEntities: true });
  parser.write(xml);
  parser.end();
  return found;
}

/** Elements in order, with their attributes. */
export function elementsOf(xml: string): { name: string; attributes: Record<string, string> }[] {
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  const parser = new Parser({ onopentag: (name, attributes) => void elements.push({ name, attributes }) }, { xmlMode: true, decodeEntities: true });
  parser.write(xml);
  parser.end();
  return elements;
}

/** Title, author, date and language of Dublin Core, as documents and books write them. */
export function dublinCore(xml: string): Record<string, string> {
  const texts = firstTexts(xml, ['dc:title', 'dc:creator', 'dc:date', 'dc:language', 'dc:rights', 'dcterms:created', 'dcterms:modified']), meta: Record<string, string> = {};
  const date = texts['dc:date'] ?? texts['dcterms:created'] ?? texts['dcterms:modified'];
  if (texts['dc:title'] !== undefined) meta['title'] = texts['dc:title'];
  if (texts['dc:creator'] !== undefined) meta['author'] = texts['dc:creator'];
  if (date !== undefined) meta['date'] = date;
  if (texts['dc:language'] !== undefined) meta['language'] = texts['dc:language'];
  return meta;
}

/** The texts of all elements of a local name, at most so many. */
export function elementTexts(xml: string, local: string, most: number): string[] {
  const texts: string[] = [];
  let text: string | undefined;
  const parser = new Parser({
    onopentagname(name) {
      if (name === local || name.endsWith(`:${local}`)) text = '';
    },
    ontext(part) {
      if (text !== undefined) text += part;
    },
    onclosetag() {
      if (text !== undefined && text.trim() !== '' && texts.length < most) texts.push(text.trim());
      text = undefined;
    },
  }, { xmlMode: true, decodeEntities: true });
  parser.write(xml);
  parser.end();
  return texts;
}
