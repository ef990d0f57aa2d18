import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import type { PipelineReport } from '../../../src/data/pipeline/finish.ts';
import { forgetTest } from '../../../src/data/pipeline/forget.ts';
import { why } from '../../../src/data/pipeline/trace.ts';
import { reportPage } from '../../../src/data/measure/report-page.ts';
import { writeShards } from '../../../src/data/write-shards.ts';
import { PipelineFolder, prose } from './pipeline-folder.ts';

let folder: PipelineFolder;
beforeEach(() => {
  folder = new PipelineFolder();
});
afterEach(() => folder.remove());

describe('why()', () => {
  it('walks from every token to its document, over shards, and from a dropped one to its rule', async () => {
    folder.write({ ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`source/${i}.md`, prose(`t${i}`, 20)])), 'source/z.md': 'hi' });
    const dir = join(folder.dir, 'out'), corpus = await folder.build(folder.spec({ stages: ['basic-filters'] })), encode = (text: string): number[] => [...Buffer.from(text)];
    await writeShards(corpus.documents('train'), { dir: join(dir, 'train'), vocabSize: 257, endOfText: 256, encode, shardTokens: 100 });
    let position = 0;
    for (const { id, text } of corpus.documents('train')) {
      const length = Buffer.byteLength(text) + 1;
      for (const token of [position, position + length - 1]) expect(why(dir, token)).toMatchObject([{ kept: true, document: { id }, tokens: { position, length } }]);
      position += length;
    }
    expect(() => why(dir, position)).toThrow(ConfigError);
    expect(why(dir, 'source/z.md')).toMatchObject([{ kept: false, document: { rule: 'basic-filters/too-short', detail: '2 characters', bytes: 2, origin: { file: 'z.md' } } }]);
    expect(() => why(dir, 'source/none.md')).toThrow(/none\.md/);
  });

  it('knows what was forgotten, which is nowhere else', async () => {
    folder.write({ 'source/a.md': prose('a'), 'source/secret/b.md': prose('secret') });
    await folder.build(folder.spec({ stages: [], forget: ['/^source\\/secret/'] }));
    expect(why(join(folder.dir, 'out'), 'source/secret/b.md')).toMatchObject([{ kept: false, document: { rule: 'forget' } }]);
    expect(readFileSync(join(folder.dir, 'out/corpus/train.jsonl'), 'utf8')).not.toContain('secret');
    expect(() => forgetTest(['/(/'])).toThrow(ConfigError);
  });
});

describe('reportPage()', () => {
  it('shows every rule with samples, is whole in itself, and lets no text out of its place', async () => {
    folder.write({ 'source/<img src=x onerror=alert(1)>.md': 'hi', 'source/a.md': prose('a'), 'source/文.md': '今天天气很好，我们去公园散步，看见许多花开了。'.repeat(3) });
    await folder.build(folder.spec());
    const report = JSON.parse(readFileSync(join(folder.dir, 'out/corpus/report.json'), 'utf8')) as PipelineReport, page = reportPage(report, { tokens: { train: 1234, validation: 0 } });
    expect(page).toContain('basic-filters/too-short');
    expect(page).toContain('1.2 k');
    expect(page).not.toMatch(/<img|src=["']?http|href=/);
    expect(page).toContain('&#60;img src=x');
    expect(page).toContain('数据报告');
    expect(page).toContain('prefers-color-scheme:dark');
    expect(report.before.languages).toMatchObject({ zh: 1 });
    expect((page.match(/<svg/g) ?? []).length).toBeGreaterThanOrEqual(5);
    expect(page).not.toContain('NaN');
  });
});
