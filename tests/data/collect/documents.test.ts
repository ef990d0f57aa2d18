import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InterruptedError } from '../../../src/base/errors.ts';
import { READERS } from '../../../src/data/collect/index.ts';
import { readBytes, recorder } from './collecting.ts';
import { zipOf } from './fixtures.ts';

const OFFICE = new URL('../../../../shared/data/web/office-made/', import.meta.url).pathname, PDFS = new URL('../../../../shared/data/web/pdf-samples/', import.meta.url).pathname;
const skipped = existsSync(OFFICE) ? '' : ': the shared data sets are not there';

const w = (body: string): string => `<?xml version="1.0"?><w:document xmlns:w="x"><w:body>${body}</w:body></w:document>`;
const p = (text: string, properties = ''): string => `<w:p><w:pPr>${properties}</w:pPr><w:r><w:t xml:space="preserve">${text}</w:t></w:r></w:p>`;
const CORE = '<cp:coreProperties><dc:title>标题 Title</dc:title><dc:creator>A. Author</dc:creator><dcterms:created>2024-05-06T00:00:00Z</dcterms:created></cp:coreProperties>';
const cell = (text: string): string => `<w:tc>${p(text)}</w:tc>`;
const DOCX = (): Promise<Buffer> =>
  zipOf({
    'word/document.xml': w(`${p('Head', '<w:pStyle w:val="Heading1"/>')}${p('One &amp; two.')}<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>${p('item', '<w:numPr/>')}<w:tbl><w:tr>${cell('a')}${cell('b')}</w:tr><w:tr>${cell('1')}${cell('二')}</w:tr></w:tbl>`),
    'word/footnotes.xml': w(p('A note.')),
    'docProps/core.xml': CORE,
  });

const EPUB = (): Promise<Buffer> =>
  zipOf({
    mimetype: 'application/epub+zip',
    'META-INF/container.xml': '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
    'OPS/book.opf':
      '<package><metadata><dc:title>Book</dc:title><dc:creator>B</dc:creator><dc:language>zh</dc:language><dc:rights>CC-BY-4.0</dc:rights></metadata><manifest><item id="b" href="b%20two.xhtml"/><item id="a" href="a.xhtml"/><item id="n" href="nav.xhtml" properties="nav"/><item id="m" href="missing.xhtml"/></manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/><itemref idref="m"/></spine></package>',
    'OPS/a.xhtml': '<html><head><title>no</title></head><body><h1>One</h1><p>First  chapter.<br/>Line.</p><ul><li>x</li></ul></body></html>',
    'OPS/b two.xhtml': '<html><body><p>第二章。</p><script>no()</script></body></html>',
    'OPS/nav.xhtml': '<html><body><p>contents</p></body></html>',
  });

/** A PDF of one page, its offsets left to be found: PDF.js rebuilds them. */
const PDF = Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 132>>stream
BT /F1 12 Tf 10 150 Td (A first line that is bro-) Tj 0 -14 Td (ken, and ends here.) Tj 0 -40 Td (Another paragraph.) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
6 0 obj<</Title(A title)/CreationDate(D:20240506)>>endobj
trailer<</Root 1 0 R/Info 6 0 R>>
%%EOF`);

describe('docx', () => {
  it('keeps headings, lists, tables and notes, and leaves out what was deleted', async () => {
    const { documents: [document] } = await readBytes('a.docx', await DOCX());
    expect(document!.text).toBe('# Head\n\nOne & two.\n\nkept\n\n- item\n\n| a | b |\n| --- | --- |\n| 1 | 二 |\n\nA note.');
    expect(document!.meta).toEqual({ title: '标题 Title', author: 'A. Author', date: '2024-05-06T00:00:00Z' });
    expect((await readBytes('a.docx', await DOCX(), { markdown: false })).documents[0]!.text).toContain('Head\n\nOne & two.\n\nkept\n\nitem\n\na\tb\n1\t二');
  });

  it('is known by its bytes, and held to the limits', async () => {
    expect((await readBytes('no-name', await DOCX())).counts['format.docx']).toBe(1);
    const bomb = await zipOf({ 'word/document.xml': w(p('a'.repeat(40 * 2 ** 20))) });
    expect((await readBytes('a.docx', bomb)).skips[0]!.reason).toBe('bomb');
    expect((await readBytes('a.docx', await DOCX(), { limits: { heldBytes: 3000 } })).documents.length).toBe(1);
    expect((await readBytes('a.docx', await DOCX(), { limits: { heldBytes: 800 } })).skips[0]!.reason).toBe('too-large');
  });

  it.skipIf(skipped !== '')(`reads whole books as their gold texts have them${skipped}`, async () => {
    for (const name of readdirSync(OFFICE).filter((name) => /\.(docx|epub)$/.test(name))) {
      const { documents: [document] } = await readBytes(name, readFileSync(OFFICE + name)), gold = readFileSync(`${OFFICE}${name.replace(/\.\w+$/, '')}.gold.txt`, 'utf8');
      const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '' && !/^[#-]+$/.test(word)), have = new Set(words(document!.text)), missing = words(gold).filter((word) => !have.has(word));
      expect(missing, name).toEqual([]);
      expect(words(document!.text).length / words(gold).length, name).toBeCloseTo(1, 1);
    }
  });
});

describe('epub', () => {
  it('reads chapters in the order of the spine', async () => {
    const { documents: [book], skips } = await readBytes('a.epub', await EPUB());
    expect(book).toMatchObject({ text: '# One\n\nFirst chapter.\nLine.\n\n- x\n\n第二章。', licence: 'CC-BY-4.0', meta: { title: 'Book', author: 'B', language: 'zh' } });
    expect(skips).toMatchObject([{ file: 'a.epub!OPS/missing.xhtml', reason: 'missing' }]);
  });
});

describe('pdf', () => {
  it('joins lines to paragraphs, and takes what the file says of itself', async () => {
    const { documents: [document] } = await readBytes('a.pdf', PDF);
    expect(document).toMatchObject({ text: 'A first line that is broken, and ends here.\n\nAnother paragraph.', meta: { title: 'A title', date: '2024-05-06' } });
  });

  it('is given up in time, and stops when it is told to', async () => {
    expect((await readBytes('a.pdf', PDF, { pdfSeconds: 0.001 })).skips).toMatchObject([{ reason: 'too-slow', detail: 'It was given up after 0.001 s.' }]);
    const stop = new AbortController(), reading = readBytes('a.pdf', PDF, {}, recorder(stop.signal));
    setTimeout(() => stop.abort(), 5);
    await expect(reading).rejects.toThrow(InterruptedError);
  });

  it.skipIf(skipped !== '')(`reads samples of many makers${skipped}`, async () => {
    const read = async (path: string): ReturnType<typeof readBytes> => readBytes(path, readFileSync(PDFS + path));
    expect((await read('002-trivial-libre-office-writer/002-trivial-libre-office-writer.pdf')).documents[0]!.text.trim().length).toBeGreaterThan(5);
    expect((await read('004-pdflatex-4-pages/pdflatex-4-pages.pdf')).documents[0]!.text).toContain('If you read this text, you will get no information.');
    expect((await read('005-libreoffice-writer-password/libreoffice-writer-password.pdf')).skips[0]!.reason).toBe('encrypted');
    expect((await read('007-imagemagick-images/imagemagick-lzw.pdf')).skips[0]!.reason).toBe('no-text');
  });
});

describe('documents', () => {
  it('cut anywhere or changed are read or said', async () => {
    for (const [name, bytes] of [['a.docx', await DOCX()], ['a.epub', await EPUB()]] as const) {
      for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 100)) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 0x5a;
        for (const damaged of [bytes.subarray(0, at), changed]) {
          const { documents, skips } = await readBytes(name, damaged);
          expect(documents.length + skips.length, `${name} at ${at}`).toBeGreaterThan(0);
        }
      }
    }
    for (let at = 0; at < PDF.length; at += 120) {
      const { documents, skips } = await readBytes('a.pdf', PDF.subarray(0, at));
      expect(documents.length + skips.length, `pdf at ${at}`).toBeGreaterThan(0);
    }
  }, 30_000);

  it('READERS have names, endings and words', () => {
    for (const { name, about, endings } of READERS) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(about.length).toBeGreaterThan(3);
      expect(endings.every((ending) => /^[a-z0-9]+$/.test(ending)), name).toBe(true);
    }
    expect(new Set(READERS.map(({ name }) => name)).size).toBe(READERS.length);
  });
});
