// WARC and WET: records of a crawl. Layer: data. See ISO 28500:2017 (WARC 1.1), sections 4 to 6.
// Records are read one by one; a record that is damaged inside costs itself, a broken frame costs the rest of the file.

import { ByteReader } from '../byte-reader.ts';
import { bytesInput, type Content } from '../content.ts';
import { parseHttpAnswer } from '../http-answer.ts';
import { MAX_PAGE_BYTES, RefusedError } from '../limits.ts';
import type { Found, ReadContext, Reader } from '../reader.ts';

const MAX_LINE_BYTES = 2 ** 16, MAX_LINES = 500;

export const warc: Reader = {
  name: 'warc',
  about: 'WARC and WET files of a crawl',
  endings: ['warc', 'wet'],
  types: ['application/warc'],
  matches: (head) => /^WARC\/\d\.\d\r?\n/.test(head.toString('latin1', 0, 12)),
  read: readWarc,
};

type WarcHeaders = ReadonlyMap<string, string>;

async function* readWarc(content: Content, context: ReadContext): AsyncGenerator<Found> {
  const reader = new ByteReader(content.chunks()), { file } = content;
  for (let record = 0;; record++) {
    const headers = await nextHeaders(reader);
    if (headers === undefined) return;
    const length = Number(headers.get('content-length') ?? Number.NaN), kind = headers.get('warc-type') ?? '';
    if (!Number.isSafeInteger(length) || length < 0) throw new RefusedError('damaged', `Record ${record}, before byte ${reader.offset}, has no length.`);
    const isText = kind === 'response' || kind === 'resource' || kind === 'conversion', most = Math.min(MAX_PAGE_BYTES, context.budget.limits.heldBytes);
    if (!isText || length > most) {
      if (isText) context.bad({ file, record, bytes: length }, 'too-large', `The record has ${length} bytes, and ${most} is the most.`);
      else context.source.count(`warc.${/^[a-z]{1,20}$/.test(kind) ? kind : 'other'}`);
      await reader.skip(length);
      continue;
    }
    const block = await reader.exactly(length);
    try {
      yield* readRecord(block, kind, headers, { file, record }, context);
    } catch (error) {
      if (!(error instanceof RefusedError) || error.reason === 'bomb') throw error;
      context.bad({ file, record, bytes: length }, error.reason, error.message);
    }
  }
}

/** The headers of the next record; undefined at the end. @throws {RefusedError} if something else stands there */
async function nextHeaders(reader: ByteReader): Promise<WarcHeaders | undefined> {
  let line = await reader.line(MAX_LINE_BYTES);
  while (line !== undefined && line.length === 0) line = await reader.line(MAX_LINE_BYTES);
  if (line === undefined) return undefined;
  if (!/^WARC\/\d\.\d$/.test(line.toString('latin1'))) throw new RefusedError('damaged', `No record begins before byte ${reader.offset}.`);
  const headers = new Map<string, string>();
  for (let last = '', lines = 0;; lines++) {
    line = await reader.line(MAX_LINE_BYTES);
    if (line === undefined) throw new RefusedError('truncated', `The file ends in a record's headers, at byte ${reader.offset}.`);
    if (line.length === 0) return headers;
    if (lines > MAX_LINES) throw new RefusedError('damaged', `More than ${MAX_LINES} headers before byte ${reader.offset}.`);
    const text = line.toString('utf8'), colon = text.indexOf(':');
    if (/^[ \t]/.test(text)) headers.set(last, `${headers.get(last) ?? ''} ${text.trim()}`);
    else if (colon > 0) headers.set(last = text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
  }
}

async function* readRecord(block: Buffer, kind: string, headers: WarcHeaders, place: { file: string; record: number }, context: ReadContext): AsyncGenerator<Found> {
  const url = headers.get('warc-target-uri')?.replace(/^<|>$/g, ''), date = headers.get('warc-date'), language = headers.get('warc-identified-content-language')?.split(',')[0];
  let body = block, type = headers.get('content-type') ?? '';
  if (kind === 'response') {
    if (!/^application\/http/i.test(type) && !block.subarray(0, 5).equals(Buffer.from('HTTP/'))) return context.source.count('warc.no-http');
    const answer = parseHttpAnswer(block, context.budget);
    if (answer.status !== 200) return context.source.count(`warc.status-${answer.status}`);
    ({ body, type } = answer);
  }
  if (body.length === 0) return context.bad(place, 'empty', 'The record has no body.');
  const known = { ...(url === undefined ? {} : { url }), ...(date === undefined ? {} : { date }), ...(language === undefined ? {} : { language }) };
  for await (const found of context.descend({ ...bytesInput(place.file, body, type), name: nameFor(url, kind), url })) {
    yield { ...found, record: place.record, meta: { ...found.meta, ...known, ...(found.meta?.['date'] === undefined ? {} : { date: found.meta['date'] }) } };
  }
}

/** What a record's address ends in, for records without a media type; WET's are text. */
function nameFor(url: string | undefined, kind: string): string {
  if (kind === 'conversion') return 'record.txt';
  const path = (url ?? '').split(/[?#]/)[0]!;
  return /\.\w{1,8}$/.exec(path)?.[0] ?? '';
}
