// DOCX: paragraphs, headings, lists, tables and notes of the main document. Layer: data.
// See ECMA-376, part 1, 17 (WordprocessingML). Our own reader on a streaming parser: text needs a dozen elements, and the
// library for it (mammoth) unpacks a whole archive in memory before any limit could hold it.

import { Parser } from 'htmlparser2';
import { repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import { packageMembers, startsWithMember } from '../packages.ts';
import type { Reader } from '../reader.ts';
import { dublinCore } from '../xml-text.ts';

const MAIN = 'word/document.xml', NOTES = ['word/footnotes.xml', 'word/endnotes.xml'];

export const docx: Reader = {
  name: 'docx',
  about: 'Word documents (DOCX)',
  endings: ['docx', 'docm'],
  types: ['application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  matches: (head) => startsWithMember(head, 'word/document.xml', 'word/_rels/') && !head.includes('mimetypeapplication/epub'),
  async *read(content, context) {
    const members = await packageMembers(content, context, (path) => path === MAIN || path === 'docProps/core.xml' || NOTES.includes(path)), main = members.get(MAIN);
    if (main === undefined) throw new RefusedError('damaged', `It has no "${MAIN}".`);
    const blocks = [main, ...NOTES.map((name) => members.get(name)).filter((bytes) => bytes !== undefined)].map((bytes) => wordText(bytes.toString('utf8'), context.options.markdown));
    const text = repaired(blocks.filter((block) => block !== '').join('\n\n'), context);
    if (text.trim() === '') throw new RefusedError('no-text', 'It has no text.');
    yield { file: content.file, text, meta: dublinCore(members.get('docProps/core.xml')?.toString('utf8') ?? ''), sha256: content.sha256 };
  },
};

/** Elements whose text is no text of the document: what was deleted, codes of fields, fallbacks of drawings. */
const UNSEEN = new Set(['w:del', 'w:instrText', 'mc:Fallback', 'w:delText', 'w:moveFrom']);

/** The text of a part, a block each, apart by an empty line. */
function wordText(xml: string, markdown: boolean): string {
  const blocks: string[] = [], rows: string[][][] = [];
  let paragraph = '', heading = 0, isList = false, unseen = 0, isText = false;
  const put = (text: string): void => {
    const cell = rows.at(-1)?.at(-1);
    if (cell !== undefined && cell.length > 0) cell[cell.length - 1] += `${cell.at(-1) === '' ? '' : ' '}${text}`;
    else blocks.push(text);
  };
  const end = (): void => {
    const text = paragraph.replace(/[ \t]+\n/g, '\n').trim(), mark = heading > 0 ? `${'#'.repeat(heading)} ` : isList ? '- ' : '';
    if (text !== '') put((markdown && rows.length === 0 ? mark : '') + text);
    [paragraph, heading, isList] = ['', 0, false];
  };
  const parser = new Parser({
    onopentag(name, attributes) {
      if (UNSEEN.has(name)) unseen++;
      else if (name === 'w:t' || name === 'm:t') isText = true;
      else if (name === 'w:tab') paragraph += paragraph === '' ? '' : '\t';
      else if (name === 'w:br' || name === 'w:cr') paragraph += '\n';
      else if (name === 'w:noBreakHyphen') paragraph += '-';
      else if (name === 'w:pStyle') heading = Math.min(6, Number(/^(?:heading|标题)\s*(\d)$/i.exec(attributes['w:val'] ?? '')?.[1] ?? (attributes['w:val'] === 'Title' ? 1 : 0)));
      else if (name === 'w:numPr') isList = true;
      else if (name === 'w:tbl') rows.push([]);
      else if (name === 'w:tr') rows.at(-1)?.push([]);
      else if (name === 'w:tc') rows.at(-1)?.at(-1)?.push('');
    },
    ontext(text) {
      if (isText && unseen === 0) paragraph += text;
    },
    onclosetag(name) {
      if (UNSEEN.has(name)) unseen--;
      else if (name === 'w:t' || name === 'm:t') isText = false;
      else if (name === 'w:p') end();
      else if (name === 'w:tbl') {
        const table = rows.pop() ?? [];
        const text = tableText(table, markdown);
        if (text !== '') put(text);
      }
    },
  }, { xmlMode: true, decodeEntities: true });
  parser.write(xml);
  parser.end();
  end();
  return blocks.join('\n\n');
}

function tableText(rows: readonly (readonly string[])[], markdown: boolean): string {
  const filled = rows.filter((row) => row.some((cell) => cell !== '')), width = Math.max(0, ...filled.map((row) => row.length));
  if (filled.length === 0) return '';
  if (!markdown || width < 2) return filled.map((row) => row.join('\t').trim()).join('\n');
  const line = (row: readonly string[]): string => `| ${Array.from({ length: width }, (_, i) => (row[i] ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(filled[0]!), `|${' --- |'.repeat(width)}`, ...filled.slice(1).map(line)].join('\n');
}
