import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, FormatError, InterruptedError, StorageError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { buildCorpus, type CorpusOptions } from '../../src/data/build-corpus.ts';
import { Corpus } from '../../src/data/corpus.ts';
import { TokenShards } from '../../src/data/token-shards.ts';
import { writeShards } from '../../src/data/write-shards.ts';
import { runUnprivileged, whyNotUnprivileged } from '../unprivileged.ts';

let dir: string, source: string, out: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-corpus-'));
  source = join(dir, 'source');
  out = join(dir, 'corpus');
  mkdirSync(source);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function files(entries: Record<string, string | Buffer>): void {
  for (const [path, text] of Object.entries(entries)) {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), text);
  }
}

/** Text of its own for each name: no two are alike. */
function prose(name: string, words = 200): string {
  const random = new Random(1, name), word = (): string => Array.from({ length: 3 + random.int(6) }, () => String.fromCharCode(97 + random.int(26))).join('');
  return `${Array.from({ length: words }, (_, i) => word() + (i % 12 === 11 ? '.\n' : '')).join(' ')}\n`;
}

const build = (options: Partial<CorpusOptions> = {}): Promise<Corpus> => buildCorpus({ sources: [source], dir: out, ...options });
const ids = (corpus: Corpus, side: 'train' | 'validation'): string[] => [...corpus.documents(side)].map((d) => d.id);

describe('buildCorpus()', () => {
  it('reads, repairs, deduplicates, splits, and reports every file and document', async () => {
    const chinese = '人工智能是计算机科学的一个分支，它研究如何使机器完成需要智能的任务。'.repeat(3);
    files({
      'a/one.md': prose('one'),
      'a/copy.md': prose('one').replaceAll(' ', '  '),
      'a/near.md': `${prose('one')} and a few words more`,
      'b/crlf.txt': prose('two').replaceAll('\n', '\r\n'),
      'b/utf16.txt': Buffer.from(`\ufeff${chinese}`, 'utf16le'),
      'b/short.md': 'hi',
      'b/empty.md': '',
      'b/image.png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0, 1, 2, 3]),
    });
    const { report, manifest, ...corpus } = await build({ validationFraction: 0 }), opened = Corpus.open(out);
    expect(opened.manifest).toEqual(manifest);
    expect(corpus.dir).toBe(out);
    expect(ids(opened, 'train')).toEqual(['source/a/copy.md', 'source/b/crlf.txt', 'source/b/utf16.txt']);
    expect([...opened.texts('train')][1]).toBe(prose('two'));
    expect([...opened.texts('train')][2]).toBe(chinese);
    expect(report.files).toMatchObject({ found: 8, read: 6, empty: 1, skipped: { binary: { count: 1 } } });
    expect(report.documents.dropped).toMatchObject({
      'too-short': { count: 1, samples: [{ path: 'source/b/short.md', detail: '2 characters' }] },
      'exact-copy': { count: 1, samples: [{ path: 'source/a/one.md', detail: 'of source/a/copy.md' }] },
      'near-copy': { count: 1 },
    });
    expect(report.repairs.carriageReturns).toBe(1);
    expect(report.encodings).toEqual({ ascii: 5, 'utf-16le': 1 });
    expect(report.split.train).toEqual({ documents: 3, bytes: report.documents.keptBytes, groups: 2 });
    expect(readdirSync(out).sort()).toEqual(['corpus.json', 'train.jsonl', 'validation.jsonl']);
  });

  it('does not read its own results where they lie inside the source', async () => {
    files({ 'a.md': prose('a'), 'runs/old/metrics.jsonl': prose('metrics') });
    const inside = { dir: join(source, 'runs', 'new'), without: [join(source, 'runs', 'old')], validationFraction: 0 };
    for (let time = 0; time < 2; time++) expect(ids(await build(inside), 'train')).toEqual(['source/a.md']);
  });

  it('gives the same bytes for the same seed and another split for another', async () => {
    files(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`d${i}/a.md`, prose(`p${i}`)])));
    const bytes = async (seed: number, to: string): Promise<string[]> => {
      await build({ seed, validationFraction: 0.2, dir: join(dir, to) });
      return readdirSync(join(dir, to)).sort().map((name) => readFileSync(join(dir, to, name), 'latin1'));
    };
    const first = await bytes(1, 'x');
    expect(await bytes(1, 'y')).toEqual(first);
    expect((await bytes(2, 'z'))[2]).not.toEqual(first[2]);
  });

  it('keeps packages together, two versions of one too, and gives validation its share', async () => {
    const entries: Record<string, string> = {};
    for (let p = 0; p < 30; p++) {
      const name = p % 3 === 0 ? `@scope/p${p}` : `p${p}`;
      for (let f = 0; f < 3; f++) entries[`node_modules/${name}/lib/f${f}.md`] = prose(`${name}${f}`);
      entries[`node_modules/host/node_modules/${name}/old.md`] = prose(`${name} old`);
    }
    files(entries);
    const corpus = await build({ exclude: [], validationFraction: 0.2 }), sides = new Map<string, Set<string>>();
    for (const side of ['train', 'validation'] as const) {
      for (const { group } of corpus.documents(side)) sides.set(group, (sides.get(group) ?? new Set()).add(side));
    }
    expect(sides.size).toBe(30);
    expect([...sides.values()].every((set) => set.size === 1)).toBe(true);
    expect(sides.has('@scope/p0')).toBe(true);
    expect(corpus.manifest.splitLevel).toBe('package');
    const { train, validation } = corpus.report.split, share = validation.bytes / (train.bytes + validation.bytes);
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.27);
  });

  it('drops held-out documents that are near to training ones', async () => {
    const entries: Record<string, string> = {};
    for (let i = 0; i < 20; i++) {
      entries[`left${i}/a.md`] = prose(`head ${i}`, 100) + prose(`left ${i}`, 30);
      entries[`right${i}/a.md`] = prose(`head ${i}`, 100) + prose(`right ${i}`, 30);
    }
    files(entries);
    const leaky = await build({ validationFraction: 0.3, leakSimilarity: false, nearCopies: 0.9 });
    const twin = (id: string): string => id.replace(/left|right/, '');
    const train = new Set(ids(leaky, 'train').map(twin));
    expect(ids(leaky, 'validation').some((id) => train.has(twin(id)))).toBe(true);
    const clean = await build({ validationFraction: 0.3, nearCopies: 0.9 }), cleanTrain = new Set(ids(clean, 'train').map(twin));
    expect(ids(clean, 'validation').filter((id) => cleanTrain.has(twin(id)))).toEqual([]);
    expect(ids(clean, 'train')).toEqual(ids(leaky, 'train'));
    const { kept, dropped } = clean.report.documents;
    expect(dropped['near-training']!.count).toBe(40 - kept);
    expect(kept).toBe(clean.report.split.train.documents + clean.report.split.validation.documents);
  });

  it('splits finer where one folder or one file is all there is', async () => {
    files(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}.md`, prose(`f${i}`)])));
    expect((await build({ validationFraction: 0.1 })).manifest.splitLevel).toBe('file');
    rmSync(source, { recursive: true });
    files({ 'all.txt': prose('all', 5000) });
    const pieces = await build({ validationFraction: 0.1, pieceChars: 1000 });
    expect(pieces.manifest.splitLevel).toBe('document');
    expect(ids(pieces, 'train')[0]).toMatch(/^source\/all\.txt#\d+$/);
    const tail = await build({ validationFraction: 0.1 });
    expect(tail.manifest.splitLevel).toBe('tail');
    expect([...tail.texts('train')].join('') + [...tail.texts('validation')].join('')).toBe(prose('all', 5000));
  });

  it('raw with a tail split cuts the text at the fraction, to the character, as nanoGPT does', async () => {
    const text = `${'\r\n tiny  \ufeff'.repeat(999)}\0x`;
    files({ 'input.txt': text });
    const corpus = await build({ sources: [join(source, 'input.txt')], raw: true, split: 'tail', validationFraction: 0.1, pieceChars: 777 });
    const train = [...corpus.texts('train')].join(''), validation = [...corpus.texts('validation')].join('');
    expect(train + validation).toBe(text);
    expect(train.length).toBe(Math.floor(text.length * 0.9));
    expect(ids(corpus, 'train')[0]).toBe('input.txt#1');
  });

  it('cuts long lines and keeps surrogate pairs whole', async () => {
    const text = '😀文字'.repeat(5000);
    files({ 'line.txt': text });
    const corpus = await build({ pieceChars: 1001, validationFraction: 0, raw: true }), texts = [...corpus.texts('train')];
    expect(texts.length).toBeGreaterThanOrEqual(20);
    expect(texts.every((piece) => piece.length <= 1001 && Buffer.from(piece).toString() === piece)).toBe(true);
    expect(texts.join('')).toBe(text);
  });

  it('caps files, groups and the total, small files first, and says so', async () => {
    files({ 'big/1.md': prose('1', 3000), 'big/2.md': prose('2', 300), 'small/3.md': prose('3', 300) });
    const corpus = await build({ validationFraction: 0, caps: { groupBytes: 5000 } });
    expect(ids(corpus, 'train')).toEqual(['source/big/1.md', 'source/big/2.md', 'source/small/3.md']);
    const [first, second] = [...corpus.documents('train')];
    expect(first!.bytes + second!.bytes).toBeLessThanOrEqual(5000);
    expect(second!.text).toBe(prose('2', 300));
    expect(first!.text.endsWith('\n')).toBe(true);
    expect(corpus.report.files.skipped['cap-cut']!.count).toBe(1);
    const total = await build({ validationFraction: 0, caps: { totalBytes: 4500 } });
    expect(total.report.files.bytes).toBeLessThanOrEqual(4500);
    expect([...total.documents('train')].at(-1)!.text).toBe(prose('3', 300));
    await expect(build({ caps: { fileBytes: 0 } })).rejects.toThrow(ConfigError);
  });

  it('says what there was where no text is left', async () => {
    await expect(build()).rejects.toThrow(/Cannot build a corpus from ".*source": there are no files/);
    files({ 'a.bin': Buffer.alloc(100), 'b.bin': Buffer.alloc(100), 'c.txt': '', 'd.txt': 'short' });
    await expect(build()).rejects.toThrow(/no text is left of 4 files \(2 binary, 1 empty, 1 dropped by too-short\)/);
    await expect(build()).rejects.toThrow(ConfigError);
    await expect(build({ sources: [join(dir, 'missing')] })).rejects.toThrow(StorageError);
    await expect(build({ sources: [] })).rejects.toThrow(/no folder or file is given/);
    await expect(build({ sources: [source, source] })).rejects.toThrow(/twice/);
    await expect(build({ validationFraction: 2 })).rejects.toThrow(/validationFraction is 2/);
    expect(readdirSync(out)).toEqual([]);
  });

  const unable = whyNotUnprivileged();
  it.skipIf(unable !== undefined)(`counts unreadable files and goes on${unable === undefined ? '' : ` (skipped: ${unable})`}`, () => {
    files({ 'a.md': prose('a'), 'b.md': prose('b') });
    chmodSync(join(source, 'b.md'), 0);
    chmodSync(dir, 0o777); // the corpus is written there
    const said = runUnprivileged(`const { buildCorpus } = await dist('data/index.js');
      const { report } = await buildCorpus({ sources: [${JSON.stringify(source)}], dir: ${JSON.stringify(out)}, validationFraction: 0 });
      console.log(JSON.stringify(report.files.skipped));`);
    expect(JSON.parse(said)['unreadable']).toMatchObject({ count: 1, samples: [{ detail: 'EACCES' }] });
  });

  it('stops on a signal, leaves an older corpus whole and no working file', async () => {
    files({ 'a.md': prose('a') });
    await build();
    const before = readFileSync(join(out, 'corpus.json'), 'utf8');
    files(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}.md`, prose(`${i}`)])));
    const controller = new AbortController();
    await expect(build({ signal: controller.signal, onProgress: () => controller.abort() })).rejects.toThrow(InterruptedError);
    expect(readFileSync(join(out, 'corpus.json'), 'utf8')).toBe(before);
    expect(ids(Corpus.open(out), 'train').length).toBe(1);
    expect(readdirSync(out).sort()).toEqual(['corpus.json', 'train.jsonl', 'validation.jsonl']);
  });

  it('refuses a folder in which another build works', async () => {
    files({ 'a.md': prose('a') });
    const results = await Promise.allSettled([build(), build()]);
    expect(results.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((results.find((r) => r.status === 'rejected') as PromiseRejectedResult).reason).toBeInstanceOf(StorageError);
    expect(existsSync(join(out, 'athanor.lock'))).toBe(false);
  });

  it('Corpus.open() notices damage', async () => {
    files({ 'a.md': prose('a') });
    await build();
    const path = join(out, 'train.jsonl'), text = readFileSync(path, 'utf8');
    truncateSync(path, 100);
    expect(() => Corpus.open(out)).toThrow(/it has 100 bytes instead of/);
    writeFileSync(path, text.replace('source', 'sauces'));
    expect(() => Corpus.open(out)).toThrow(/does not match its checksum/);
    writeFileSync(join(out, 'corpus.json'), '{}');
    expect(() => Corpus.open(out)).toThrow(FormatError);
    rmSync(join(out, 'corpus.json'));
    expect(() => Corpus.open(out)).toThrow(StorageError);
  });
});

describe('writeShards()', () => {
  it('encodes each side through the caller and counts its bytes', async () => {
    files(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`d${i}/a.md`, `${prose(`p${i}`)}文字`])));
    const corpus = await build({ validationFraction: 0.2 }), seen: number[] = [];
    const manifest = await writeShards(corpus.documents('train'), {
      dir: join(out, 'train'),
      vocabSize: 257,
      endOfText: 256,
      encode: (text) => new Uint8Array(Buffer.from(text)),
      totalBytes: corpus.manifest.files.train.bytes,
      sources: corpus.manifest.sources,
      onProgress: ({ done }) => seen.push(done),
    });
    const { documents, bytes } = corpus.manifest.files.train;
    expect(manifest).toMatchObject({ documents, textBytes: bytes, tokens: documents + bytes, sources: ['source'] });
    expect(seen.at(-1)).toBe(bytes);
    const shards = TokenShards.open(join(out, 'train')), first = new Int32Array(30);
    shards.read(first, 0, 30);
    expect(first[0]).toBe(256);
    expect(Buffer.from(first.subarray(1)).toString()).toBe([...corpus.texts('train')][0]!.slice(0, 29));
  });

  it('stops on a signal', async () => {
    files({ 'a.md': prose('a') });
    const corpus = await build();
    await expect(writeShards(corpus.documents('train'), {
      dir: join(out, 'train'),
      vocabSize: 256,
      encode: (text) => new Uint8Array(Buffer.from(text)),
      signal: AbortSignal.abort(),
    })).rejects.toThrow(InterruptedError);
  });
});
