// Exact copies: documents whose text is the same but for white space. Layer: data.

import { createHash } from 'node:crypto';
import type { Document, Documents } from './document.ts';
import { recordDrop, type CorpusReport } from './report.ts';

/** SHA-256 of a text's characters without its white space, cut to 128 bits: 2^64 documents before two meet by chance. */
export class ContentKey {
  #units = new Uint16Array(1024);

  of(text: string): string {
    if (this.#units.length < text.length) this.#units = new Uint16Array(Math.ceil(text.length * 1.25));
    const units = this.#units;
    let length = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 32 && code !== 0x3000 && code !== 0xa0) units[length++] = code;
    }
    return createHash('sha256').update(new Uint8Array(units.buffer, 0, 2 * length)).digest('base64').slice(0, 22);
  }
}

/** A stage: keeps the first of documents that are exact copies, and counts the others as `exact-copy`. */
export async function* dropExactCopies(documents: Documents, report: CorpusReport): AsyncGenerator<Document> {
  const first = new Map<string, string>(), key = new ContentKey();
  for await (const document of documents) {
    const hash = key.of(document.text), original = first.get(hash);
    if (original === undefined) {
      first.set(hash, document.id);
      yield document;
    } else {
      recordDrop(report.documents.dropped, 'exact-copy', { path: document.id, bytes: document.bytes, detail: `of ${original}` });
    }
  }
}
