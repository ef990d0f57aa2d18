// Small files of each format, made here; the compressions that Node.js cannot write are kept as they were written once.

import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { pack } from 'tar-stream';
import { ZipFile } from 'yazl';

export const TEXT = 'The quick brown fox. 敏捷的棕色狐狸。\n'.repeat(3);
/** TEXT by `bzip2 -9`. */
export const BZIP2 = Buffer.from('QlpoOTFBWSZTWdUrqv4AAApT+QAQQAEEABtpssBUKsIQCAAQwAnAIABIz/VQPUB6jT1ADQAZ/qpoA00AGgHqbUvKisoEGEJhRSIpLhRhhwg4YaA7MB58LEKenQwQlGHZ4TCiF4hAgKOPxdyRThQkNUrqv4A=', 'base64');
/** `first ` and `second`, each a stream of its own. */
export const BZIP2_STREAMS = Buffer.from('QlpoOTFBWSZTWaRjnbsAAACRgEAAASAcACAAIYAMAycu4u5IpwoSFIxzt2BCWmg5MUFZJlNZJooCNAAAAoGADgGIACAAIhhoMAcCmF3JFOFCQJooCNA=', 'base64');
/** TEXT by `zstd`, with its checksum. */
export const ZSTD = Buffer.from('KLUv/QRYtQEA5AJUaGUgcXVpY2sgYnJvd24gZm94LiDmlY/mjbfnmoTmo5XoibLni5Dni7jjgIIKAQDOOKkya25JGg==', 'base64');

export const JSONL = '{"text":"one","title":"T","url":"https://a.test/1"}\n{"text":"二","licence":"CC0-1.0"}\n{"text":"three"}\n';
export const CSV = 'id,text,title\n1,"one, and\nmore",T\n2,二,\n3,"say ""three""",U\n';
export const HTML =
  '<!DOCTYPE html><html lang="en"><head><title>The page</title></head><body><article><h1>The page</h1><p>A first paragraph, long enough to be the text of an article, with commas, and an end.</p><p>The second paragraph goes on for a while, as paragraphs do, so that there is something to read.</p></article></body></html>';

export function httpAnswer(head: string, body: Buffer | string): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${head}\r\n`), Buffer.from(body)]);
}

export function warcRecord(type: string, block: Buffer | string, headers: Record<string, string> = {}): Buffer {
  const bytes = Buffer.from(block), all = { 'WARC-Type': type, 'WARC-Date': '2024-01-02T03:04:05Z', 'WARC-Target-URI': 'https://a.test/page', 'Content-Length': String(bytes.length), ...headers };
  return Buffer.concat([Buffer.from(`WARC/1.0\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`), bytes, Buffer.from('\r\n\r\n')]);
}

export const WARC = Buffer.concat([
  warcRecord('warcinfo', 'software: test\r\n'),
  warcRecord('response', httpAnswer('Content-Type: text/html; charset=utf-8\r\n', HTML)),
  warcRecord('conversion', 'Plain text of a page. 一页的文字。\n', { 'Content-Type': 'text/plain', 'WARC-Identified-Content-Language': 'eng,zho' }),
]);

export async function tarOf(members: Record<string, string | Buffer>, extra: (packer: ReturnType<typeof pack>) => void = () => undefined): Promise<Buffer> {
  const packer = pack();
  for (const [name, bytes] of Object.entries(members)) packer.entry({ name, mtime: new Date(0) }, Buffer.from(bytes));
  extra(packer);
  packer.finalize();
  const parts: Buffer[] = [];
  for await (const part of packer) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export async function zipOf(members: Record<string, string | Buffer>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, bytes] of Object.entries(members)) zip.addBuffer(Buffer.from(bytes), name, { mtime: new Date(315532800000) });
  zip.end();
  const parts: Buffer[] = [];
  for await (const part of zip.outputStream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

export function parquetOf(columns: Record<string, unknown[]>): Buffer {
  return Buffer.from(parquetWriteBuffer({ columnData: Object.entries(columns).map(([name, data]) => ({ name, data })), rowGroupSize: 2 }));
}

/** One of each, under a name that fits. */
export async function oneOfEach(): Promise<Record<string, Buffer>> {
  return {
    'a.txt': Buffer.from(TEXT),
    'a.txt.gz': gzipSync(TEXT),
    'a.txt.zst': ZSTD,
    'a.txt.bz2': BZIP2,
    'a.jsonl': Buffer.from(JSONL),
    'a.csv': Buffer.from(CSV),
    'a.html': Buffer.from(HTML),
    'a.warc': WARC,
    'a.warc.gz': Buffer.concat([gzipSync(WARC.subarray(0, 200)), gzipSync(WARC.subarray(200))]),
    'a.tar': await tarOf({ 'x/one.txt': 'one', 'x/二.txt': TEXT }),
    'a.zip': await zipOf({ 'x/one.txt': 'one', 'x/二.txt': TEXT }),
    'a.parquet': parquetOf({ text: ['one', '二', 'three'], title: ['T', '', 'U'] }),
  };
}
