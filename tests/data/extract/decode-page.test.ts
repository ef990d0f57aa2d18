import { describe, expect, test } from 'vitest';
import { decodePage } from '../../../src/data/extract/index.ts';

/** 「你好，世界」 in GBK. */
const GBK = Buffer.from('c4e3bac3a3accac0bde7', 'hex');
const page = (head: string, body: Buffer): Buffer => Buffer.concat([Buffer.from(`<html><head>${head}</head><body><p>`), body, Buffer.from('</p></body></html>')]);

describe('decodePage()', () => {
  test('decodePage() puts a byte order mark above the header', () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('<p>é</p>', 'utf16le')]);
    expect(decodePage(bytes, 'text/html; charset=utf-8')).toEqual({ html: '<p>é</p>', encoding: 'utf-16le', by: 'mark' });
  });

  test('decodePage() puts the header above the page', () => {
    const { html, encoding, by } = decodePage(page('<meta charset="shift_jis">', GBK), 'text/html; charset="GB2312"');
    expect({ encoding, by }).toEqual({ encoding: 'gbk', by: 'header' });
    expect(html).toContain('你好，世界');
  });

  test.each(['<meta charset=gbk>', '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">', '<META CHARSET="GBK" />'])('decodePage() reads %s', (meta) => {
    expect(decodePage(page(meta, GBK))).toMatchObject({ encoding: 'gbk', by: 'meta', html: expect.stringContaining('你好，世界') });
  });

  test('decodePage() believes the bytes where a declaration cannot be true', () => {
    expect(decodePage(page('<meta charset="iso-8859-1">', Buffer.from('naïve café 你好')))).toMatchObject({ encoding: 'utf-8', by: 'content' });
    const text = Buffer.from('Der Bürgermeister möchte über die Straße gehen, aber die Schüler hören nicht. '.repeat(5), 'latin1');
    expect(decodePage(page('<meta charset="utf-8">', text)).html).toContain('Bürgermeister möchte über die Straße');
  });

  test('decodePage() guesses without a declaration, and ignores unknown ones', () => {
    const text = Buffer.concat(Array.from({ length: 20 }, () => GBK));
    expect(decodePage(page('', text), 'text/html; charset=nonsense').html).toContain('你好，世界');
    expect(decodePage(Buffer.alloc(0))).toMatchObject({ html: '', encoding: 'utf-8' });
  });
});
