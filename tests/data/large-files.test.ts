// A file of 1 GB and a line of 100 MB: read as documents of bounded size, in bounded memory.

import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEFAULT_PIECE_CHARS, readDocuments } from '../../src/data/read.ts';
import { emptyReport } from '../../src/data/report.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-large-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A file of that many bytes, one block of text after the other. */
function large(name: string, bytes: number, block: string): string {
  const path = join(scratch, name), file = openSync(path, 'w'), one = Buffer.from(block);
  for (let left = bytes; left > 0; left -= one.length) writeSync(file, one, 0, Math.min(left, one.length));
  closeSync(file);
  return path;
}

async function readAll(path: string) {
  const bytes = statSync(path).size, report = emptyReport(), rss = process.memoryUsage.rss();
  let documents = 0, total = 0, longest = 0, peak = 0;
  for await (const document of readDocuments([{ path: 'large.txt', absolute: path, bytes, take: bytes } as never], report)) {
    documents++;
    total += document.bytes;
    longest = Math.max(longest, document.text.length);
    peak = Math.max(peak, process.memoryUsage.rss() - rss);
  }
  return { documents, total, longest, peak, report };
}

describe('readDocuments()', () => {
  it('reads a file of 1 GB in pieces, without holding it', async () => {
    const path = large('large.txt', 1e9, 'The furnace feeds itself: coal falls as it burns. 炉火自燃，炭随火落。\n'.repeat(10_000)), { documents, total, longest, peak, report } = await readAll(path);
    expect(total).toBeGreaterThan(0.999e9);
    expect(total).toBeLessThanOrEqual(1e9 + 3); // the last character is cut
    expect(documents).toBe(report.documents.read);
    expect(documents).toBeGreaterThan(500);
    expect(longest).toBeLessThanOrEqual(DEFAULT_PIECE_CHARS);
    expect(peak).toBeLessThan(400e6); // what the collector has not come to yet
    rmSync(path);
  }, 180_000);

  it('cuts a line of 100 MB between words, and one without words at the limit', async () => {
    const words = await readAll(large('words.txt', 1e8, 'furnace 炉 ')), solid = await readAll(large('solid.txt', 1e7, 'furnace'.repeat(1000)));
    expect(Math.abs(words.total - 1e8)).toBeLessThan(1000); // a character may be cut at the end
    expect(solid.total).toBe(1e7);
    expect(Math.max(words.longest, solid.longest)).toBeLessThanOrEqual(DEFAULT_PIECE_CHARS);
    expect(solid.documents).toBe(Math.ceil(1e7 / DEFAULT_PIECE_CHARS));
  }, 60_000);
});
