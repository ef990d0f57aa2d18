import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, FormatError, InterruptedError } from '../../../src/base/errors.ts';
import { readGzipLines } from '../../../src/data/pipeline/drops-file.ts';
import { intoBatches } from '../../../src/data/pipeline/list-units.ts';
import type { PipelineReport } from '../../../src/data/pipeline/finish.ts';
import { ids, PipelineFolder, prose } from './pipeline-folder.ts';

let folder: PipelineFolder;
beforeEach(() => {
  folder = new PipelineFolder();
});
afterEach(() => folder.remove());

const report = (name = 'out'): PipelineReport => JSON.parse(readFileSync(join(folder.dir, name, 'corpus', 'report.json'), 'utf8')) as PipelineReport;

describe('buildPipeline()', () => {
  it('reads, filters, drops copies, and accounts for every document and byte', async () => {
    folder.write({
      'source/a/one.md': prose('one'),
      'source/a/copy.md': prose('one').replaceAll(' ', '  '),
      'source/a/near.md': `${prose('one')} and a few words more`,
      'source/b/二.txt': '人工智能是计算机科学的一个分支，它研究如何使机器完成需要智能的任务。'.repeat(3),
      'source/b/short.md': 'hi',
      'source/b/image.png': Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 0, 1, 2, 3]),
    });
    const corpus = await folder.build(folder.spec()), { before, after, drops, skipped } = report();
    expect(ids(corpus)).toEqual(['source/a/copy.md', 'source/b/二.txt']);
    expect(drops).toMatchObject({
      'basic-filters/too-short': { count: 1, samples: [{ path: 'source/b/short.md', detail: '2 characters' }] },
      exact: { count: 1, samples: [{ path: 'source/a/one.md', detail: 'a copy of source/a/copy.md' }] },
      near: { count: 1 },
    });
    expect(skipped).toMatchObject({ 'unknown-format': { count: 1 } });
    const dropped = Object.values(drops);
    expect(before.documents).toBe(after.documents + dropped.reduce((sum, { count }) => sum + count, 0));
    expect(before.bytes).toBe(after.bytes + dropped.reduce((sum, { bytes }) => sum + bytes, 0));
    const lines = readGzipLines(join(folder.dir, 'out/corpus/dropped.jsonl.gz')) as { id: string; rule: string }[];
    expect(lines.map(({ id, rule }) => [id, rule])).toEqual([['source/b/short.md', 'basic-filters/too-short'], ['source/a/one.md', 'exact'], ['source/a/near.md', 'near']]);
    expect(readGzipLines(join(folder.dir, 'out/corpus/trace-train.jsonl.gz'))).toMatchObject([{ id: 'source/a/copy.md', origin: { source: 'source', file: 'a/copy.md' } }, { id: 'source/b/二.txt' }]);
  });

  it('cuts paragraphs seen before, in the text, the hash and the steps', async () => {
    const notice = 'This notice stands at the end of every page of the site.';
    folder.write({ 'source/1.md': `${prose('x', 30)}\n\n${notice}`, 'source/2.md': `${prose('y', 30)}\n\n${notice}`, 'source/3.md': `${notice}\n` });
    const corpus = await folder.build(folder.spec({ stages: [{ kind: 'exact', of: 'paragraphs' }] }));
    expect(ids(corpus)).toEqual(['source/1.md', 'source/2.md']);
    expect([...corpus.texts('train')].map((text) => text.includes(notice))).toEqual([true, false]);
    expect(report().changes['exact/paragraphs']).toMatchObject({ count: 1, bytes: notice.length });
    expect(report().drops['exact/paragraphs']).toMatchObject({ count: 1, samples: [{ detail: 'nothing left: 1 paragraph seen before' }] });
    const [, second] = readGzipLines(join(folder.dir, 'out/corpus/trace-train.jsonl.gz')) as { steps?: unknown; hash: string }[];
    expect(second!.steps).toEqual([['exact/paragraphs', '1 paragraph seen before']]);
  });

  it('runs stages of the user from TypeScript and JavaScript, of one document and of all', async () => {
    folder.write({
      'source/a.md': prose('a'),
      'source/b.md': prose('b'),
      'source/c.md': prose('c'),
      'no-a.ts': `import type { Rule } from 'athanor/data';\nconst rule: Omit<Rule<unknown>, 'options'> = { name: 'no-a', about: 'x', judge: () => ({ path }: { path: string }) => path.endsWith('a.md') ? 'it is a' : undefined };\nexport default rule;\n`,
      'last.mjs': `export default { name: 'last', about: 'x', scope: 'corpus', start: (_, context) => async function* (documents) { let last; for await (const d of documents) { if (last) context.drop(last, 'last', 'not the last'); last = d; } yield last; } };\n`,
      'silent.mjs': 'export default { name: "silent", start: () => async function* (documents) { for await (const d of documents) if (!d.path.endsWith("a.md")) yield d; } };\n',
    });
    const path = (name: string): string => join(folder.dir, name);
    expect(ids(await folder.build(folder.spec({ stages: [path('no-a.ts'), path('last.mjs')] })))).toEqual(['source/c.md']);
    expect(report().drops).toMatchObject({ 'no-a': { count: 1 }, last: { count: 1 } });
    await folder.build(folder.spec({ stages: [path('silent.mjs')] }), 'silent');
    expect(report('silent').drops).toMatchObject({ 'silent/no-reason-given': { count: 1, bytes: prose('a').length } });
    await expect(folder.build(folder.spec({ stages: ['./none.mjs'] }))).rejects.toThrow(/none\.mjs/);
    await expect(folder.build(folder.spec({ stages: ['exakt'] }))).rejects.toThrow(ConfigError);
  });

  it('goes on after an interruption, and does again only what changed', async () => {
    folder.write(Object.fromEntries(Array.from({ length: 1600 }, (_, i) => [`source/${i % 7}/${i}.md`, prose(`p${i}`, 20)])));
    const controller = new AbortController(), spec = folder.spec({ validationFraction: 0.1 });
    const stop = folder.build(spec, 'out', { signal: controller.signal, onProgress: ({ stage, done }) => stage === 'parts' && done >= 2 && controller.abort() });
    await expect(stop).rejects.toThrow(InterruptedError);
    const parts = join(folder.dir, 'out/work/parts'), finished = (): string[] => readdirSync(parts).filter((name) => name.endsWith('.json'));
    const before = finished(), times = before.map((name) => statSync(join(parts, name)).mtimeMs);
    expect(before.length).toBeGreaterThanOrEqual(2);
    await folder.build(spec);
    expect(before.map((name) => statSync(join(parts, name)).mtimeMs)).toEqual(times);
    expect(finished().length).toBeGreaterThan(before.length);
    await folder.build(spec, 'other');
    expect(folder.bytes('out')).toEqual(folder.bytes('other'));
    // A file that changed: its part alone is made again.
    const whole = finished();
    folder.write({ 'source/3/3.md': `${prose('new', 20)}` });
    await folder.build(spec);
    expect(finished().filter((name) => !whole.includes(name)).length).toBe(1);
  });

  it('keeps parts on which a removed stage had no effect', async () => {
    folder.write(Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`source/${i}.md`, i === 700 ? 'hi' : prose(`p${i}`, 20)])));
    await folder.build(folder.spec({ stages: ['basic-filters'] }));
    const parts = join(folder.dir, 'out/work/parts'), inodes = (): number[] => readdirSync(parts).filter((name) => name.endsWith('.part')).map((name) => statSync(join(parts, name)).ino);
    const before = inodes();
    expect(ids(await folder.build(folder.spec({ stages: [] }))).length).toBe(1100);
    expect(inodes().filter((inode) => !before.includes(inode)).length).toBe(1);
  });

  it('strict stops at what is damaged, by name', async () => {
    folder.write({ 'source/a.md': prose('a'), 'source/b.bin': Buffer.from([0, 1, 2, 0]) });
    await expect(folder.build(folder.spec({ strict: true }))).rejects.toThrow(FormatError);
    await expect(folder.build(folder.spec({ strict: true }), 'x')).rejects.toThrow(/b\.bin/);
  });

  it('answers an option that a stage does not have with those that it has', async () => {
    folder.write({ 'source/a.md': prose('a') });
    await expect(folder.build(folder.spec({ stages: [{ kind: 'language', languages: ['en'] }] }))).rejects.toThrow('it has no option "languages". There are keep, minConfidence.');
  });

  it('mixes by weight and epochs, held-out documents once', async () => {
    folder.write(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i < 150 ? 'many' : 'few'}/${i}.md`, prose(`p${i}`, 40)])));
    const sources = ['many', 'few'].map((name) => ({ kind: 'files', name, path: join(folder.dir, name), weight: 1 }));
    const corpus = await folder.build(folder.spec({ sources, stages: [], validationFraction: 0.1, split: 'file' }));
    const train = ids(corpus), few = train.filter((id) => id.startsWith('few'));
    expect(few.length / train.length).toBeGreaterThan(0.42);
    expect(few.length / train.length).toBeLessThan(0.58);
    const held = ids(corpus, 'validation');
    expect(new Set(held).size).toBe(held.length);
    expect(held.length).toBeGreaterThan(5);
    expect(held.some((id) => train.includes(id))).toBe(false);
  });
});

describe('intoBatches()', () => {
  it('moves few borders when a file is added', () => {
    const names = Array.from({ length: 5000 }, (_, i) => `f/${String(i * 3).padStart(6, '0')}`), units = (keys: string[]) => keys.map((key) => ({ source: 0, unit: { key, bytes: 5000 } }));
    const batches = (keys: string[]) => intoBatches(units(keys)).map((batch) => batch.units.map(({ key }) => key).join());
    const before = batches(names), after = batches([...names, 'f/000001'].sort());
    expect(before.join().split(',').length).toBe(5000);
    expect(after.filter((batch) => !before.includes(batch)).length).toBeLessThanOrEqual(3);
  });
});
