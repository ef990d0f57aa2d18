import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, StorageError } from '../../../src/base/errors.ts';
import { files } from '../../../src/data/collect/sources/files.ts';
import { collected, readSource, recorder } from './collecting.ts';
import { tarOf, zipOf } from './fixtures.ts';

const SHARED = new URL('../../../../shared/data/', import.meta.url).pathname;
const whyNoShared = existsSync(SHARED) ? undefined : 'the shared data sets are not there';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(entries: Record<string, string | Buffer>): void {
  for (const [path, bytes] of Object.entries(entries)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), bytes);
  }
}

describe('files', () => {
  it('lists folders, files and patterns in one order, and reads archives in them', async () => {
    write({ 'b/2.txt': 'two', 'b/1.txt': '一', 'a.zip': await zipOf({ 'in/x.txt': 'x' }), 'c/d/e.tar.gz': gzipSync(await tarOf({ 'y.jsonl': '{"text":"y"}' })), '.env': 'SECRET=1' });
    const { keys, documents, skips } = await readSource(files, { path: dir });
    expect(keys).toEqual(['a.zip', 'b/1.txt', 'b/2.txt', 'c/d/e.tar.gz']);
    expect(documents.map(({ id, text }) => [id, text])).toEqual([['s/a.zip!in/x.txt', 'x'], ['s/b/1.txt', '一'], ['s/b/2.txt', 'two'], ['s/c/d/e.tar.gz!y.jsonl#0', 'y']]);
    expect(skips).toEqual([{ file: '.env', reason: 'excluded', detail: '' }]);
    expect((await readSource(files, { path: `${dir}/**/*.txt` })).keys).toEqual(['b/1.txt', 'b/2.txt']);
    expect((await readSource(files, { path: `${dir}/b/[2-9].txt` })).keys).toEqual(['2.txt']);
    expect((await readSource(files, { path: [join(dir, 'b'), join(dir, 'a.zip'), `${dir}/b`] })).keys).toEqual(['b/1.txt', 'b/2.txt', 'a.zip/a.zip', 'b-2/1.txt', 'b-2/2.txt']);
  });

  it('says what is missing', async () => {
    await expect(readSource(files, { path: join(dir, 'none') })).rejects.toThrow(StorageError);
    await expect(readSource(files, { path: `${dir}/*.none` })).rejects.toThrow(ConfigError);
    expect(() => files.options.parse({ path: dir, colour: 'red' })).toThrow(/colour/);
  });

  it('says files that vanish, change after they were listed, or while they are read', async () => {
    write({ 'a.txt': 'first', 'b.txt': 'x\n'.repeat(400_000), 'c.txt': 'gone' });
    const context = recorder(), options = files.options.parse({ path: dir, pieceChars: 1000 }), [a, b, c] = await collected(files.list(options, context));
    appendFileSync(join(dir, 'a.txt'), ' and more');
    expect((await collected(files.read(a!, options, context)))[0]!.text).toBe('first and more');
    expect(context.skips.at(-1)).toMatchObject({ file: 'a.txt', reason: 'changed', detail: 'It had 5 bytes when it was listed and has 14 now; what is there now is read.' });
    let n = 0;
    for await (const _ of files.read(b!, options, context)) if (n++ === 0) appendFileSync(join(dir, 'b.txt'), 'y');
    expect(context.skips.at(-1)).toMatchObject({ file: 'b.txt', reason: 'changed', detail: expect.stringContaining('800000 bytes when it was opened and 800001') });
    n = 0;
    for await (const _ of files.read({ ...b!, bytes: 800_001 }, options, context)) if (n++ === 0) utimesSync(join(dir, 'b.txt'), 1, 1);
    expect(context.skips.at(-1)!.detail).toContain('it was written to while it was read');
    rmSync(join(dir, 'c.txt'));
    expect(await collected(files.read(c!, options, context))).toEqual([]);
    expect(context.skips.at(-1)).toMatchObject({ file: 'c.txt', reason: 'unreadable', detail: 'ENOENT' });
    await expect(collected(files.read(c!, { ...options, strict: true }, context))).rejects.toThrow(/Stopped at "c\.txt" \(unreadable\)/);
  });

  it('does not follow links unless it is told to', async () => {
    write({ 'in/a.txt': 'a' });
    symlinkSync('/etc/hostname', join(dir, 'in/link.txt'));
    expect((await readSource(files, { path: join(dir, 'in') })).skips).toEqual([{ file: 'link.txt', reason: 'symbolic-link', detail: '' }]);
  });

  it.skipIf(whyNoShared !== undefined)(`reads pages of a crawl and tables of a data set${whyNoShared === undefined ? '' : `: ${whyNoShared}`}`, async () => {
    const { documents, skips, counts } = await readSource(files, { path: join(SHARED, 'web/warc-made'), include: ['*.gz'] });
    expect(counts['format.warc']).toBe(1);
    expect(documents.length).toBeGreaterThan(70);
    expect(documents.every(({ meta, text }) => String(meta?.['url']).startsWith('https://example.org/') && text.trim() !== '')).toBe(true);
    expect(skips.filter(({ reason }) => reason !== 'no-text' && reason !== 'not-included')).toEqual([]);
    const rows = await readSource(files, { path: join(SHARED, 'formats/parquet-graphrag/text_units.parquet') });
    expect(rows.documents[0]!.text.length).toBeGreaterThan(500);
    const all = await readSource(files, { path: `${SHARED}/formats/parquet-graphrag/*.parquet`, text: 'description' });
    expect(all.documents.length).toBeGreaterThan(50);
    expect(new Set(all.skips.map(({ reason }) => reason))).toEqual(new Set(['no-text-column', 'not-included']));
  });
});
