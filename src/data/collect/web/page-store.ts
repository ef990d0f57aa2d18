// Pages that were fetched, on disk: what a crawl resumes from, and what is not fetched twice. Layer: data (file access).
// A page is two files named by its address's hash, each whole or not there: the bytes, and what was said of them.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, storageError, writeDurable } from '../../../base/durable.ts';

/** What is known of a page. */
export type StoredPage = {
  readonly url: string;
  /** Where it was in the end. */
  readonly finalUrl: string;
  readonly status: number;
  readonly type: string;
  readonly etag?: string | undefined;
  readonly modified?: string | undefined;
  /** When it was fetched, ISO 8601. */
  readonly date: string;
  /** X-Robots-Tag. */
  readonly robots?: string | undefined;
  readonly sha256: string;
};

/** A folder of pages. */
export class PageStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get(url: string): { page: StoredPage; bytes: Buffer } | undefined {
    const base = this.#base(url);
    try {
      const page = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as StoredPage, bytes = readFileSync(`${base}.body`);
      // A kill between the two writes, or a page that was written over: it is fetched again.
      return page.url === url && page.sha256 === hashOf(bytes) ? { page, bytes } : undefined;
    } catch (cause) {
      if (cause instanceof SyntaxError || (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw storageError('read', base, cause);
    }
  }

  put(page: Omit<StoredPage, 'sha256'>, bytes: Buffer): StoredPage {
    const base = this.#base(page.url), stored = { ...page, sha256: hashOf(bytes) };
    makeFolder(join(base, '..'));
    writeDurable(`${base}.body`, bytes);
    writeDurable(`${base}.json`, JSON.stringify(stored));
    return stored;
  }

  #base(url: string): string {
    const name = hashOf(Buffer.from(url));
    return join(this.#folder, name.slice(0, 2), name);
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
