// PDF: the text of its pages, one document. Layer: data (threads).
// PDF.js (unpdf) reads it in a thread of its own with a bound on memory and time, since a file can make it work for ever.
// A thread a file costs some 150 ms of start; what one file breaks in it cannot reach the next.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { InterruptedError } from '../../../base/errors.ts';
import type { Meta } from '../../document.ts';
import { repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import { pageText, type PdfItem } from '../pdf-lines.ts';
import type { Reader } from '../reader.ts';

const MEMORY_MB = 1024;
/** Pages beyond this come to nothing more than time. */
const MAX_PAGES = 20_000;

/** The thread, as text: a file of its own could not be TypeScript in sources and JavaScript in the package at once. */
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
(async () => {
  const { extractTextItems, getDocumentProxy, getMeta } = await import(workerData.unpdf);
  const pdf = await getDocumentProxy(workerData.bytes, { verbosity: 0, isEvalSupported: false });
  if (pdf.numPages > workerData.maxPages) throw new Error('it has ' + pdf.numPages + ' pages');
  const { info } = await getMeta(pdf).catch(() => ({ info: {} }));
  const { items } = await extractTextItems(pdf);
  parentPort.postMessage({ info: JSON.stringify(info), pages: items });
})().catch((error) => parentPort.postMessage({ failed: String(error && error.message || error), kind: String(error && error.name) }));
`;

type Reply = { readonly info: string; readonly pages: readonly (readonly PdfItem[])[] } | { readonly failed: string; readonly kind: string };

export const pdf: Reader = {
  name: 'pdf',
  about: 'PDF, the text that it holds (no recognition of pictures)',
  endings: ['pdf'],
  types: ['application/pdf'],
  matches: (head) => head.subarray(0, 1024).includes('%PDF-'),
  async *read(content, context) {
    const bytes = await content.whole(context.budget.limits.heldBytes), reply = await inThread(bytes, context.options.pdfSeconds, context.source.signal);
    if ('failed' in reply) throw new RefusedError(reply.kind === 'PasswordException' ? 'encrypted' : 'damaged', `PDF.js cannot read it: ${reply.failed}.`);
    const text = repaired(reply.pages.map(pageText).filter((page) => page !== '').join('\n\n'), context);
    context.source.count('pdf.pages', reply.pages.length);
    if (text.trim() === '') throw new RefusedError('no-text', 'Its pages have no text: they are pictures, or empty.');
    yield { file: content.file, text, meta: metaOf(reply.info), sha256: content.sha256 };
  },
};

function inThread(bytes: Buffer, seconds: number, signal: AbortSignal | undefined): Promise<Reply> {
  const own = Uint8Array.from(bytes), unpdf = pathToFileURL(createRequire(import.meta.url).resolve('unpdf')).href;
  const worker = new Worker(THREAD, { eval: true, workerData: { unpdf, bytes: own, maxPages: MAX_PAGES }, transferList: [own.buffer], resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB }, stdout: true, stderr: true });
  let stop = (): void => undefined;
  const answer = new Promise<Reply>((resolve, reject) => {
    const timer = setTimeout(() => reject(new RefusedError('too-slow', `It was given up after ${seconds} s.`)), seconds * 1000);
    stop = () => reject(new InterruptedError('Stopped while reading a PDF.'));
    signal?.addEventListener('abort', stop, { once: true });
    worker.once('message', resolve);
    worker.once('error', (error: NodeJS.ErrnoException) => reject(new RefusedError(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'too-large' : 'damaged', `PDF.js failed: ${error.message}.`)));
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new RefusedError('damaged', 'PDF.js ended without an answer.'));
    });
  });
  return answer.finally(() => {
    signal?.removeEventListener('abort', stop);
    return worker.terminate();
  });
}

/** Title, author, date and language of the document's own information. */
function metaOf(json: string): Meta {
  const info = JSON.parse(json) as Record<string, unknown>, meta: Record<string, string> = {};
  const put = (name: string, value: unknown): void => {
    if (typeof value === 'string' && value.trim() !== '') meta[name] = value.trim().slice(0, 2000);
  };
  put('title', info['Title']);
  put('author', info['Author']);
  put('language', info['Language']);
  // PDF 32000-1, 7.9.4: D:YYYYMMDDHHmmSS and a zone, parts of which may be missing.
  const [, year, month = '01', day = '01'] = /^D:(\d{4})(\d{2})?(\d{2})?/.exec(String(info['CreationDate'] ?? '')) ?? [];
  put('date', year === undefined ? undefined : `${year}-${month}-${day}`);
  return meta;
}
