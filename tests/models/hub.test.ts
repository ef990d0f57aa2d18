// Fetching from a hub, against one on loopback that does everything wrong in turn.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, FormatError, InterruptedError, ProtocolError, StorageError } from '../../src/base/errors.ts';
import { fetchModel, type HubOptions } from '../../src/models/hub.ts';
import { loadModel, parseHubName } from '../../src/models/index.ts';
import { LoopbackHub } from './loopback-hub.ts';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-hub-')), hub = await LoopbackHub.start();
afterAll(async () => {
  await hub.close();
  rmSync(scratch, { recursive: true, force: true });
});
const golden = new URL('../golden/models/llama-tied/', import.meta.url).pathname;
const weights = readFileSync(`${golden}model.safetensors`), config = readFileSync(`${golden}config.json`);
const sha256Hex = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
let caches = 0, cache = '';
beforeEach(() => {
  cache = join(scratch, `cache-${caches++}`);
  hub.requests.length = hub.faults.length = hub.apiFaults.length = 0;
  hub.token = undefined;
  hub.lies.clear();
  hub.repositories.clear();
  hub.add('ann/tiny', { 'config.json': config, 'model.safetensors': weights, 'README.md': '# 名', 'modeling_tiny.py': 'evil()', 'pytorch_model.bin': 'PK', '.gitattributes': '', 'tokenizer.model': 'x' });
});

const get = (word = 'hub:ann/tiny', options: Partial<HubOptions> = {}) => fetchModel(parseHubName(word), { endpoint: hub.endpoint, cache, retryMs: 1, idleMs: 1000, ...options });
const contentRequests = () => hub.requests.filter(({ host }) => host === 'store');

describe('fetchModel()', () => {
  it("fetches what is allowed, checked, at the commit, into Hugging Face's layout", async () => {
    const { path, commit } = await get();
    expect(commit).toBe(hub.commitOf('ann/tiny'));
    expect(path).toBe(join(cache, 'models--ann--tiny', 'snapshots', commit));
    expect(readdirSync(path).filter((name) => !name.startsWith('.')).sort()).toEqual(['README.md', 'config.json', 'model.safetensors', 'tokenizer.model']);
    expect(readlinkSync(join(path, 'model.safetensors'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(readFileSync(join(cache, 'models--ann--tiny', 'refs', 'main'), 'utf8')).toBe(commit);
    expect(readFileSync(join(path, 'model.safetensors')).equals(weights)).toBe(true);
    loadModel(path).close();
    expect(hub.requests.some(({ url }) => /\.py|\.bin|gitattributes/.test(url))).toBe(false);
    const before = contentRequests().length;
    await get();
    expect(contentRequests()).toHaveLength(before); // what is there is not fetched again
  });

  it('gives the token to the hub, and to nobody that it redirects to', async () => {
    hub.token = 'hf_secret';
    await get('hub:ann/tiny', { token: 'hf_secret' });
    expect(contentRequests().length).toBeGreaterThan(0);
    for (const { host, authorization } of hub.requests) expect(authorization).toBe(host === 'hub' ? 'Bearer hf_secret' : undefined);
  });

  it('goes on where another process stopped', async () => {
    const blobs = join(cache, 'models--ann--tiny', 'blobs');
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${sha256Hex(weights)}.incomplete`), weights.subarray(0, 50_000));
    const { path } = await get();
    expect(contentRequests().map(({ range }) => range)).toEqual(['bytes=50000-']);
    expect(readFileSync(join(path, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readdirSync(blobs).some((name) => name.endsWith('.incomplete'))).toBe(false);
  });

  it('survives bodies that are cut, servers without ranges, and trouble that passes', async () => {
    hub.repositories.set('ann/tiny', new Map([['model.safetensors', weights], ['config.json', config]]));
    hub.apiFaults.push(500, 429);
    hub.faults.push({ kind: 'cut', after: 10_000 }, { kind: 'cut', after: 10_000 }, { kind: 'no ranges' });
    const { path } = await get();
    expect(readFileSync(join(path, 'model.safetensors')).equals(weights)).toBe(true);
    expect(contentRequests()[1]!.range).toMatch(/^bytes=\d+-$/);
  });

  it('keeps nothing of a file with other bytes, a longer one, or one of another size', async () => {
    hub.repositories.set('ann/tiny', new Map([['model.safetensors', weights]]));
    hub.faults.push({ kind: 'wrong bytes' });
    await expect(get()).rejects.toThrow(/content is not what its SHA-256/);
    await get(); // the next is right
    rmSync(cache, { recursive: true });
    hub.faults.push({ kind: 'too long' });
    await expect(get()).rejects.toThrow(/more than the 76\d+ bytes that the hub lists/);
    expect(existsSync(join(cache, 'models--ann--tiny', 'snapshots', hub.commitOf('ann/tiny'), 'model.safetensors'))).toBe(false);
  });

  it('starts over when what was kept is damaged', async () => {
    hub.repositories.set('ann/tiny', new Map([['model.safetensors', weights]]));
    const blobs = join(cache, 'models--ann--tiny', 'blobs');
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${sha256Hex(weights)}.incomplete`), Buffer.alloc(1000));
    const { path } = await get();
    expect(readFileSync(join(path, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it.each([['endless redirect', /redirects more than 5 times/], ['insecure redirect', /where it would not be safe/]] as const)('refuses an %s', async (kind, message) => {
    hub.repositories.set('ann/tiny', new Map([['model.safetensors', weights]]));
    hub.faults.push({ kind });
    await expect(get()).rejects.toThrow(message);
  });

  it.each([
    ['a size that no file has', 'config.json', { size: 2 ** 40 }, FormatError],
    ['a negative size', 'config.json', { size: -1 }, FormatError],
    ['no hash', 'config.json', { oid: undefined }, FormatError],
    ['a hash that is a path', 'config.json', { oid: '../../evil' }, FormatError],
    ['more than the disk holds', 'model.safetensors', { lfs: { oid: 'a'.repeat(64), size: 2 ** 43, pointerSize: 100 } }, StorageError],
  ])('refuses a tree that lists %s', async (_what, path, lie, kind) => {
    hub.lies.set(path, lie);
    await expect(get()).rejects.toBeInstanceOf(kind);
  });

  it('fetches no file whose name leads elsewhere', async () => {
    hub.repositories.get('ann/tiny')!.set('../../evil.json', Buffer.from('{}'));
    hub.repositories.get('ann/tiny')!.set('a/b.json', Buffer.from('{}'));
    const { path } = await get();
    expect(readdirSync(path).filter((name) => name.endsWith('.json'))).toEqual(['config.json']);
  });

  it('says what the hub says', async () => {
    hub.token = 'other';
    await expect(get()).rejects.toThrow(/HF_TOKEN/);
    hub.token = undefined;
    await expect(get('hub:ann/nothing')).rejects.toThrow(/no such model or revision/);
    await expect(get('hub:ann/tiny@v9')).rejects.toBeInstanceOf(ProtocolError);
    hub.apiFaults.push(500, 500, 500, 500, 500);
    await expect(get()).rejects.toThrow(/answers 500/);
    hub.repositories.set('ann/tiny', new Map([['pytorch_model.bin', Buffer.from('x')]]));
    await expect(get()).rejects.toThrow(/weights are in "pytorch_model.bin".*never read/);
  });

  it('opens what it has when it is offline or nobody answers, and says so otherwise', async () => {
    const { path, commit } = await get('hub:ann/tiny@v1'), notes: string[] = [], gone = { endpoint: 'http://127.0.0.1:1', note: (text: string) => void notes.push(text) };
    hub.requests.length = 0;
    expect(await get('hub:ann/tiny@v1', { offline: true })).toEqual({ path, commit });
    expect(await get(`hub:ann/tiny@${commit}`, { offline: true })).toEqual({ path, commit });
    expect(hub.requests).toEqual([]);
    expect(await get('hub:ann/tiny@v1', gone)).toEqual({ path, commit });
    expect(notes[0]).toMatch(/Cannot reach .*Using the copy of commit/);
    await expect(get('hub:ann/tiny@main', { offline: true })).rejects.toThrow(/has no copy of it/);
    await expect(get('hub:ann/other', gone)).rejects.toBeInstanceOf(StorageError);
  });

  it('keeps what came when it is stopped', async () => {
    hub.repositories.set('ann/tiny', new Map([['model.safetensors', weights]]));
    hub.faults.push({ kind: 'cut', after: 20_000 }, { kind: 'hang' });
    const controller = new AbortController(), running = get('hub:ann/tiny', { signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    await expect(running).rejects.toBeInstanceOf(InterruptedError);
    const [partial] = readdirSync(join(cache, 'models--ann--tiny', 'blobs'));
    expect(readFileSync(join(cache, 'models--ann--tiny', 'blobs', partial!)).equals(weights.subarray(0, 20_000))).toBe(true);
  });

  it('wants one of several GGUF files named', async () => {
    hub.add('ann/gguf', { 'a.Q4_0.gguf': 'GGUF', 'a.Q8_0.gguf': 'GGUF', 'README.md': '' });
    await expect(get('hub:ann/gguf')).rejects.toThrow(/a\.Q4_0\.gguf, a\.Q8_0\.gguf\. Name one/);
    const { path } = await get('hub:ann/gguf:a.Q8_0.gguf');
    expect(path).toMatch(/a\.Q8_0\.gguf$/);
    expect(await get('hub:ann/gguf:a.Q8_0.gguf', { offline: true })).toMatchObject({ path });
  });
});

it.each(['hub:', 'hub:../x', 'hub:a/b/c', 'hub:a/..b', 'hub:a/b@', 'hub:a/b@x..y', 'hub:a/b:../x.gguf', 'hub:a/b:x.bin', 'hub:a b'])('parseHubName() refuses %s', (word) => {
  expect(() => parseHubName(word)).toThrow(ConfigError);
});
