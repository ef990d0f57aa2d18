// athanor data extract. Layer: cli.

import { readFile, stat } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { ConfigError, FormatError, StorageError } from '../../base/errors.ts';
import { decodePage, extractPage } from '../../data/extract/index.ts';
import type { Command, Io } from '../command.ts';

/** Of one page, as bytes: what is longer is cut, and says so; 64 MiB hold every page that a person wrote. */
const MAX_BYTES = 2 ** 26;

export const dataExtract: Command = {
  name: 'data extract',
  about: [
    'Prints the main text of web pages, without what stands around it: navigation, advertisements, comments, related stories.',
    'Files may be compressed by gzip; - is standard input. With --json each page is one line {file, title, author, date,',
    'lang, text, markdown, truncated}; else the texts follow one another. The encoding is found out as browsers do.',
  ].join('\n'),
  arguments: [{ name: 'FILE', about: 'an HTML page, .gz or not; - for standard input', repeatable: true }],
  options: {
    markdown: { kind: 'flag', about: 'print Markdown: headings, lists, tables, code and mathematics kept' },
    comments: { kind: 'flag', about: "keep readers' comments, after the text" },
    images: { kind: 'flag', about: 'keep pictures and their captions' },
    'no-links': { kind: 'flag', about: 'leave the addresses of links out of Markdown' },
    url: { kind: 'text', value: 'URL', about: 'where the page was read: relative links are resolved against it' },
  },
  examples: ['athanor data extract page.html --markdown', 'curl -s https://example.com | athanor data extract - --json', 'athanor data extract crawl/*.html.gz --json > pages.jsonl'],
  async run(args, io) {
    const url = args.text('url');
    if (url !== undefined && !URL.canParse(url)) throw new ConfigError(`Cannot resolve links against --url "${url}": it is no address. Give it whole, such as https://example.com/page.`);
    const options = { comments: args.has('comments'), images: args.has('images'), links: !args.has('no-links'), ...(url === undefined ? {} : { url }) };
    for (const file of args.words) {
      const { html, truncated } = decode(await readBytes(file, io), file), { language: lang, ...page } = extractPage(html, options);
      if (truncated || page.truncated) io.note(`${file}: the page is longer than the limit; its beginning was read.`);
      io.result({ file, ...page, ...(lang === undefined ? {} : { lang }), truncated: truncated || page.truncated }, args.has('markdown') ? page.markdown : page.text);
    }
  },
};

function decode(bytes: Buffer, file: string): { html: string; truncated: boolean } {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? unzip(bytes, file) : bytes;
  return { html: decodePage(plain.subarray(0, MAX_BYTES)).html, truncated: plain.length > MAX_BYTES };
}

/** Never more than the limit and a bit: a bomb is refused. */
function unzip(bytes: Buffer, file: string): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: 2 * MAX_BYTES });
  } catch (cause) {
    const tooLong = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new FormatError(`Cannot read "${file}": ${tooLong ? `it unpacks to more than ${2 * MAX_BYTES} bytes` : `its gzip data is damaged (${(cause as Error).message})`}. Unpack it yourself, or get another copy.`, { path: file, cause });
  }
}

async function readBytes(file: string, io: Io): Promise<Buffer> {
  if (file === '-') {
    const parts: Buffer[] = [];
    for await (const part of io.input()) parts.push(part);
    return Buffer.concat(parts);
  }
  try {
    const { size } = await stat(file);
    if (size > 2 * MAX_BYTES) throw new FormatError(`Cannot read "${file}": it has ${size} bytes, and no page has more than ${2 * MAX_BYTES}.`, { path: file });
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new StorageError(`Cannot read "${file}": ${(cause as Error).message}. Name an HTML file, or - for standard input.`, { path: file, cause });
  }
}
