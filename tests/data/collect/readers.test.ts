import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FormatError, InterruptedError } from '../../../src/base/errors.ts';
import { DEFAULT_LIMITS } from '../../../src/data/collect/limits.ts';
import { BZIP2, BZIP2_STREAMS, CSV, HTML, httpAnswer, JSONL, oneOfEach, parquetOf, tarOf, TEXT, WARC, warcRecord, zipOf, ZSTD } from './fixtures.ts';
import { readBytes, recorder } from './collecting.ts';

const texts = async (name: string, bytes: Buffer | string, options = {}): Promise<string[]> => (await readBytes(name, bytes, options)).documents.map(({ text }) => text);

describe('text', () => {
  it.each([
    ['utf-8', Buffer.from(TEXT)],
    ['utf-16le', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['gb18030', Buffer.concat(Array.from({ length: 20 }, () => Buffer.from([0xc3, 0xf4, 0xbd, 0xdd, 0xb5, 0xc4, 0xd7, 0xd8, 0xc9, 0xab, 0xba, 0xfc, 0xc0, 0xea, 0xa1, 0xa3, 10])))],
  ])('reads %s', async (encoding, bytes) => {
    const { documents, counts } = await readBytes('a.txt', bytes);
    expect(documents[0]!.text).toContain('敏捷的棕色狐狸。');
    expect(counts[`encoding.${encoding}`]).toBe(1);
  });

  it('names, hashes and cuts', async () => {
    const { documents: [one] } = await readBytes('d/a.txt', 'hello\r\n');
    expect(one).toEqual({ id: 's/d/a.txt', path: 's/d/a.txt', group: 's/d', text: 'hello\n', bytes: 6, origin: { source: 's', file: 'd/a.txt', sha256: 'cd2eca3535741f27a8ae40c31b0c41d4057a7a7b912b33b9aed86485d1c84676' } });
    const { documents } = await readBytes('a.txt', 'one two\n\nthree four\n\nfive', { pieceChars: 12 });
    expect(documents.map(({ id, text }) => [id, text])).toEqual([['s/a.txt#1', 'one two\n\n'], ['s/a.txt#2', 'three four\n\n'], ['s/a.txt#3', 'five']]);
  });

  it('is not made of binary bytes', async () => {
    const { documents, skips } = await readBytes('a.bin', Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 37) % 32)));
    expect([documents, skips[0]!.reason]).toEqual([[], 'unknown-format']);
    expect((await readBytes('a.txt', Buffer.alloc(0))).skips[0]!.reason).toBe('empty');
  });
});

describe('jsonl', () => {
  it('takes the text field, what is known and the record', async () => {
    const { documents } = await readBytes('a.jsonl', JSONL);
    expect(documents[0]).toEqual({ id: 's/a.jsonl#0', path: 's/a.jsonl', group: 'a.test', text: 'one', bytes: 3, origin: { source: 's', file: 'a.jsonl', record: 0 }, meta: { title: 'T', url: 'https://a.test/1' } });
    expect(documents[1]).toMatchObject({ id: 's/a.jsonl#1', text: '二', licence: 'CC0-1.0', group: 's/a.jsonl#1' });
  });

  it('counts bad rows with a sample and names the fields where none is text', async () => {
    const { documents, skips, counts } = await readBytes('a.jsonl', '{"text":"ok"}\n{"text":\n[1]\n{"words":"x","n":1}\n{"text":5}\n\n{"text":"end"}');
    expect(documents.map(({ id }) => id)).toEqual(['s/a.jsonl#0', 's/a.jsonl#6']);
    expect(skips.map(({ record, reason }) => [record, reason])).toEqual([[1, 'bad-row'], [2, 'bad-row'], [3, 'no-text'], [4, 'no-text']]);
    expect(skips[2]!.detail).toContain('the fields are words, n');
    expect(counts['rows.bad']).toBe(4);
    await expect(readBytes('a.jsonl', '{"text":"ok"}\n{"text":', { strict: true })).rejects.toThrow(/Stopped at "a\.jsonl", record 1 \(bad-row\)/);
  });

  it('takes the fields that are named, nested and several', async () => {
    expect(await texts('a.jsonl', '{"a":{"b":"x"},"q":"y","__proto__":{"text":"z"}}', { text: ['a.b', 'q'] })).toEqual(['x\n\ny']);
    expect((await readBytes('a.jsonl', '{"text":"t","my_field":3}', { keep: ['my_field'] })).documents[0]!.meta).toEqual({ myField: 3 });
  });

  it('passes over lines that are too long, and goes on', async () => {
    const { documents, skips } = await readBytes('a.jsonl', `{"text":"${'x'.repeat(5000)}"}\n{"text":"y"}\n`, { limits: { recordBytes: 1000 } });
    expect([documents.map(({ text }) => text), skips[0]!.reason]).toEqual([['y'], 'too-large']);
  });
});

describe('csv', () => {
  it('reads quotes, newlines and the delimiters of the first line', async () => {
    expect(await texts('a.csv', CSV)).toEqual(['one, and\nmore', '二', 'say "three"']);
    expect(await texts('a.csv', 'text;n\nx, y;1\n')).toEqual(['x, y']);
    expect(await texts('a.tsv', 'n\ttext\n1\t"quoted"\n')).toEqual(['quoted']);
    expect((await readBytes('a.csv', '\ufefftext,title\nx,T\n')).documents[0]!.meta).toEqual({ title: 'T' });
  });

  it('counts rows of another length and goes on', async () => {
    const { documents, skips } = await readBytes('a.csv', 'text,n\na,1\nb\nc,2,3\nd,4\n');
    expect(documents.map(({ text }) => text)).toEqual(['a', 'd']);
    expect(skips.map(({ reason }) => reason)).toEqual(['bad-row', 'bad-row']);
  });

  it('names the columns where none is text', async () => {
    const { skips } = await readBytes('a.csv', 'price,size\n1,2\n');
    expect(skips).toEqual([{ file: 'a.csv', reason: 'no-text-column', detail: 'No column for the text: a field of a usual name (name one with "text") is not among price, size.' }]);
    await expect(readBytes('a.csv', 'price,size\n1,2\n', { strict: true })).rejects.toThrow(FormatError);
    expect((await readBytes('a.csv', 'price,size\n1,2\n', { text: 'nope' })).skips[0]!.detail).toContain('"nope" is not among price, size');
  });
});

describe('parquet', () => {
  it('reads rows of every group, and only what is wanted', async () => {
    const { documents } = await readBytes('a.parquet', parquetOf({ n: [1, 2, 3], text: ['one', '二', 'three'], title: ['T', '', 'U'] }));
    expect(documents.map(({ id, text, meta }) => [id, text, meta?.['title']])).toEqual([['s/a.parquet#0', 'one', 'T'], ['s/a.parquet#1', '二', undefined], ['s/a.parquet#2', 'three', 'U']]);
    expect(documents[0]!.meta).toEqual({ title: 'T' });
    expect((await readBytes('a.parquet', parquetOf({ n: [1], size: ['x'] }))).skips[0]).toMatchObject({ reason: 'no-text-column', detail: expect.stringContaining('n, size') });
  });
});

describe('html', () => {
  it.each([
    ['utf-8 in spite of what it says', Buffer.from(HTML.replace('<head>', '<head><meta charset="latin1">').replace('A first', '中文。A first')), '中文'],
    ['its own word', Buffer.from(HTML.replace('<head>', '<head><meta charset="windows-1251">').replace('A first', 'ПА first'), 'latin1').map((byte) => byte), undefined],
  ])('is decoded by %s', async (_, bytes, part) => {
    const { documents: [page] } = await readBytes('a.html', bytes);
    expect(page!.text).toContain(part ?? 'first paragraph');
    expect(page!.meta).toMatchObject({ title: 'The page', language: 'en' });
  });

  it('ends in bounded time on a million nested elements', async () => {
    const { documents } = await readBytes('a.html', `<html><body>${'<div>'.repeat(1_000_000)}deep`);
    expect(documents.length).toBeLessThanOrEqual(1);
  });
});

describe('compressed', () => {
  it.each([['a.txt.gz', gzipSync(TEXT)], ['a.txt.gz', Buffer.concat([gzipSync(TEXT.slice(0, 30)), gzipSync(TEXT.slice(30))])], ['a.txt.zst', ZSTD], ['a.txt.bz2', BZIP2]])('reads %s under its own name', async (name, bytes) => {
    const { documents } = await readBytes(name, bytes);
    expect(documents.map(({ id, text }) => [id, text])).toEqual([[`s/${name}`, TEXT]]);
    expect(documents[0]!.origin!.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it('reads bzip2 streams one after another', async () => {
    expect(await texts('a.txt.bz2', BZIP2_STREAMS)).toEqual(['first second']);
  });

  it('stops a bomb, alone and in a tar in a gzip', async () => {
    const zeros = Buffer.alloc(24 * 2 ** 20, 'a'), bomb = await readBytes('bomb.gz', gzipSync(zeros));
    expect(bomb.skips.at(-1)).toMatchObject({ reason: 'bomb', detail: expect.stringContaining('ratio 200') });
    const nested = await readBytes('bomb.tar.gz', gzipSync(await tarOf({ 'a.txt.gz': gzipSync(zeros) })));
    expect(nested.skips.map(({ file, reason }) => [file, reason])).toEqual([['bomb.tar.gz', 'bomb']]);
    expect((await readBytes('bomb.zip', await zipOf({ 'a.txt': zeros }))).skips.at(-1)!.reason).toBe('bomb');
  }, 20_000);

  it('refuses what is nested too deep', async () => {
    let bytes: Buffer = Buffer.from(TEXT);
    for (let i = 0; i < 6; i++) bytes = gzipSync(bytes);
    expect((await readBytes('a', bytes)).skips).toMatchObject([{ reason: 'too-deep', detail: `It lies ${DEFAULT_LIMITS.depth + 1} archives deep, and ${DEFAULT_LIMITS.depth} is the most.` }]);
    expect(await texts('a', bytes, { limits: { depth: 6 } })).toEqual([TEXT]);
  });
});

describe('archives', () => {
  it.each([['a.zip', zipOf], ['a.tar', tarOf]])('%s: members with their names, hashes and formats', async (name, make) => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(60)}.txt`;
    const { documents } = await readBytes(name, await make({ 'x/a.txt': 'one', 'x/行.jsonl': JSONL, 'in.gz': gzipSync(TEXT), [long]: 'long' }));
    expect(documents.map(({ path, text }) => [path, text])).toEqual([[`s/${name}!x/a.txt`, 'one'], [`s/${name}!x/行.jsonl`, 'one'], [`s/${name}!x/行.jsonl`, '二'], [`s/${name}!x/行.jsonl`, 'three'], [`s/${name}!in.gz`, TEXT], [`s/${name}!${long}`, 'long']]);
    expect(documents[0]!.origin).toMatchObject({ file: `${name}!x/a.txt`, sha256: '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed' });
    expect(documents[0]!.group).toBe(`s/${name}!x`);
  });

  it('says paths that leave an archive, links and members that are damaged, and reads the rest', async () => {
    const bytes = await tarOf({ '../up.txt': 'x', '/abs.txt': 'x', 'a/../../b.txt': 'x', 'bad.gz': gzipSync(TEXT).subarray(0, 30), 'good.txt': 'good' }, (packer) => packer.entry({ name: 'link', type: 'symlink', linkname: '/etc/passwd' }));
    const { documents, skips, counts } = await readBytes('a.tar', bytes);
    expect(documents.map(({ text }) => text)).toEqual(['good']);
    expect(skips.map(({ file, reason }) => [file, reason])).toEqual([['a.tar!../up.txt', 'unsafe-path'], ['a.tar!/abs.txt', 'unsafe-path'], ['a.tar!a/../../b.txt', 'unsafe-path'], ['a.tar!bad.gz', 'truncated']]);
    expect(counts['archive.links']).toBe(1);
    const zip = await zipOf({ aaaaaaaa: 'x', 'good.txt': 'good' }), evil = Buffer.from(zip.toString('latin1').replaceAll('aaaaaaaa', '../../up'), 'latin1');
    expect((await readBytes('a.zip', evil)).skips).toMatchObject([{ file: 'a.zip!../../up', reason: 'unsafe-path' }]);
    expect(await texts('a.zip', evil)).toEqual(['good']);
  });
});

describe('warc', () => {
  it('reads pages and texts with address, date and language', async () => {
    const { documents, counts } = await readBytes('a.warc', WARC);
    expect(documents.map(({ id, group }) => [id, group])).toEqual([['s/a.warc#1', 'a.test'], ['s/a.warc#2', 'a.test']]);
    expect(documents[0]!.text).toContain('A first paragraph');
    expect(documents[0]!.meta).toMatchObject({ url: 'https://a.test/page', title: 'The page', date: '2024-01-02T03:04:05Z' });
    expect(documents[1]).toMatchObject({ text: 'Plain text of a page. 一页的文字。\n', meta: { language: 'eng' } });
    expect(counts['warc.warcinfo']).toBe(1);
  });

  it.each([
    ['chunked', 'Transfer-Encoding: chunked\r\n', `${HTML.length.toString(16)}\r\n${HTML}\r\n0\r\n\r\n`],
    ['gzip', 'Content-Encoding: gzip\r\n', gzipSync(HTML)],
    ['gzip that was undone', 'Content-Encoding: gzip\r\n', HTML],
    ['gzip in chunks', 'Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n', Buffer.concat([Buffer.from(`${gzipSync(HTML).length.toString(16)}\r\n`), gzipSync(HTML), Buffer.from('\r\n0\r\n\r\n')])],
    ['chunks that were undone', 'Transfer-Encoding: chunked\r\n', HTML],
  ])('decodes a body: %s', async (_, head, body) => {
    const { documents } = await readBytes('a.warc', warcRecord('response', httpAnswer(`Content-Type: text/html\r\n${head}`, body)));
    expect(documents[0]!.text).toContain('The second paragraph');
  });

  it('counts other answers, and a damaged record costs itself', async () => {
    const bytes = Buffer.concat([warcRecord('response', 'HTTP/1.1 404 Not Found\r\n\r\nno'), warcRecord('response', 'HTTP/nonsense', { 'Content-Type': 'application/http' }), warcRecord('response', httpAnswer('Content-Type: image/png\r\n', Buffer.from([0x89, 80, 78, 71, 0, 1, 2, 3]))),
      warcRecord('conversion', 'text')]);
    const { documents, skips, counts } = await readBytes('a.warc', bytes);
    expect(documents.map(({ text }) => text)).toEqual(['text']);
    expect(counts['warc.status-404']).toBe(1);
    expect(skips.map(({ reason }) => reason)).toEqual(['damaged', 'unknown-format']);
  });
});

describe('every format', () => {
  it('cut anywhere is said and never an error, and what is whole stays', async () => {
    for (const [name, bytes] of Object.entries(await oneOfEach())) {
      const whole = (await readBytes(name, bytes)).documents, step = Math.max(1, Math.floor(bytes.length / 200));
      expect(whole.length, name).toBeGreaterThan(0);
      for (let length = 0; length < bytes.length; length += step) {
        const { documents, skips, counts } = await readBytes(name, bytes.subarray(0, length));
        // A crawl that ends after its first record is whole: what it has is counted.
        expect(documents.length + skips.length + (counts['warc.warcinfo'] ?? 0), `${name} at ${length}`).toBeGreaterThan(0);
        for (const { detail } of skips) expect(detail, `${name} at ${length}`).not.toMatch(/undefined|is not a function|null/);
      }
    }
  }, 60_000);

  it('with any byte changed is read or said, in bounded time', async () => {
    for (const [name, bytes] of Object.entries(await oneOfEach())) {
      const step = Math.max(1, Math.floor(bytes.length / 60));
      for (let at = 0; at < bytes.length; at += step) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 0xa5;
        const { documents, skips } = await readBytes(name, changed);
        expect(documents.length + skips.length, `${name} at ${at}`).toBeGreaterThan(0);
      }
    }
  }, 60_000);

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    stop.abort();
    for (const [name, bytes] of Object.entries(await oneOfEach())) await expect(readBytes(name, bytes, {}, recorder(stop.signal))).rejects.toThrow(InterruptedError);
  });
});
