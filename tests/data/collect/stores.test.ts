import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { hubSource } from '../../../src/data/collect/sources/hub.ts';
import { s3 } from '../../../src/data/collect/sources/s3.ts';
import { readSource } from './collecting.ts';

/** A store in the manner of S3, of two pages of keys. */
const OBJECTS: Record<string, Buffer> = { 'd/a.jsonl.gz': gzipSync('{"text":"one"}\n{"text":"二"}\n'), 'd/b.txt': Buffer.from('text b'), 'd/c.bin': Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]), 'e/x.txt': Buffer.from('other') };
let server: Server, endpoint: string, signed: (string | undefined)[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x'), key = decodeURIComponent(url.pathname.replace(/^\/bucket\/?/, ''));
    signed.push(request.headers.authorization);
    if (request.method !== 'GET') return void response.writeHead(405).end();
    if (url.searchParams.has('list-type')) {
      const prefix = url.searchParams.get('prefix') ?? '', keys = Object.keys(OBJECTS).filter((key) => key.startsWith(prefix)), from = Number(url.searchParams.get('continuation-token') ?? 0), page = keys.slice(from, from + 2), more = from + 2 < keys.length;
      response.setHeader('content-type', 'application/xml');
      return void response.end(
        `<?xml version="1.0"?><ListBucketResult><KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ''}${
          page.map((key) => `<Contents><Key>${key}</Key><Size>${OBJECTS[key]!.length}</Size><ETag>"${key.length}"</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>`).join('')
        }</ListBucketResult>`,
      );
    }
    const bytes = OBJECTS[key];
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { etag: `"${key.length}"`, 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket`;
  process.env['TEST_S3_KEY'] = 'key-id';
  process.env['TEST_S3_SECRET'] = 'very-secret';
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const options = (more = {}): Record<string, unknown> => ({ endpoint, allow: ['127.0.0.1'], keyVariable: 'TEST_S3_KEY', secretVariable: 'TEST_S3_SECRET', ...more });

describe('s3', () => {
  it('lists page by page below a prefix and reads objects, signed', async () => {
    signed = [];
    const { documents, keys, skips } = await readSource(s3, options({ prefix: 'd/' }));
    expect(keys).toEqual(['d/a.jsonl.gz', 'd/b.txt', 'd/c.bin']);
    expect(documents.map(({ id, text }) => [id, text])).toEqual([['s/d/a.jsonl.gz#0', 'one'], ['s/d/a.jsonl.gz#1', '二'], ['s/d/b.txt', 'text b']]);
    expect(skips).toMatchObject([{ file: 'd/c.bin', reason: 'unknown-format' }]);
    expect(signed.every((header) => header?.startsWith('AWS4-HMAC-SHA256 Credential=key-id/'))).toBe(true);
    expect(JSON.stringify(signed)).not.toContain('very-secret');
  });

  it('says objects that are gone, and refuses a private store that is not allowed', async () => {
    const parsed = s3.options.parse(options()), context = { name: 's', skip: () => undefined, count: () => undefined }, reasons: string[] = [];
    for await (const _ of s3.read({ key: 'd/gone.txt', bytes: 3 }, parsed, { ...context, skip: (_, reason) => void reasons.push(reason) })) void _;
    expect(reasons).toEqual(['unreadable']);
    await expect(readSource(s3, options({ allow: [] }))).rejects.toThrow(/127\.0\.0\.1 is no public address/);
    await expect(readSource(s3, options({ secretVariable: 'TEST_NONE' }))).rejects.toThrow(ConfigError);
  });
});

describe('hubSource()', () => {
  it('reads the files that fit, at the commit that was listed', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'athanor-hub-')), asked: string[] = [];
    writeFileSync(join(dir, 'b.jsonl'), '{"text":"二"}\n');
    writeFileSync(join(dir, 'a.txt'), 'one');
    const hub = hubSource({
      list: async (dataset, revision) => (asked.push(`${dataset}@${revision}`), { commit: 'c0ffee', files: ['b.jsonl', 'a.txt', 'README.md'].map((path) => ({ path, bytes: 3 })) }),
      fetch: async (dataset, commit, path) => (asked.push(`${dataset}@${commit}/${path}`), join(dir, path)),
    });
    const { documents, keys } = await readSource(hub, { dataset: 'hub:owner/name', licence: 'CC-BY-4.0' });
    expect([keys, documents.map(({ id, text, licence, group }) => [id, text, licence, group])]).toEqual([['a.txt', 'b.jsonl'], [['s/a.txt', 'one', 'CC-BY-4.0', 's'], ['s/b.jsonl#0', '二', 'CC-BY-4.0', 's/b.jsonl#0']]]);
    expect(asked).toEqual(['owner/name@main', 'owner/name@c0ffee/a.txt', 'owner/name@c0ffee/b.jsonl']);
    await expect(readSource(hub, { dataset: 'owner/name', include: ['*.none'] })).rejects.toThrow(ConfigError);
    rmSync(dir, { recursive: true, force: true });
  });
});
