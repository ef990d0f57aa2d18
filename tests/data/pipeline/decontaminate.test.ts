import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, StorageError } from '../../../src/base/errors.ts';
import { ids, PipelineFolder, prose } from './pipeline-folder.ts';

let folder: PipelineFolder;
beforeEach(() => {
  folder = new PipelineFolder();
});
afterEach(() => folder.remove());

describe('decontaminate stage', () => {
  const question = 'If a train leaves the old station at noon with forty passengers, how many reach the coast by night?';
  const chinese = '小明有十二个苹果，他给了小红五个，又买了三个，请问他现在有几个苹果？';

  it('drops what shares 13 words with a set, in both languages, whatever case and punctuation, and names set and words', async () => {
    folder.write({
      'sets/maths.jsonl': `${JSON.stringify({ question, answer: '12' })}\n${JSON.stringify({ nested: [{ text: chinese }] })}\n`,
      'source/clean.md': `${prose('clean')} If a train leaves the old station at noon with forty cows. ${prose('more', 20)}`, // 12 words of it
      'source/hit.md': `${prose('x')} IF A TRAIN leaves; the old\nstation at noon -- with forty passengers, how ${prose('y')}`,
      'source/题.md': `${'今天天气很好，我们去公园散步。'.repeat(3)}小明有十二个苹果 他给了小红五个 又买了${'山高水长'.repeat(4)}`,
    });
    const corpus = await folder.build(folder.spec({ stages: [{ kind: 'decontaminate', against: join(folder.dir, 'sets/maths.jsonl') }] }));
    expect(ids(corpus)).toEqual(['source/clean.md']);
    const { dropped } = corpus.report.documents;
    expect(dropped['decontaminate/maths.jsonl']).toMatchObject({ count: 2 });
    expect(dropped['decontaminate/maths.jsonl']!.samples[0]!.detail).toContain('if a train leaves the old station at noon with forty passengers how');
  });

  it('looks again when a set changes, and refuses a set that is missing or has nothing to look for', async () => {
    folder.write({ 'sets/a.txt': 'one line of this set that is in no document at all here\n', 'source/a.md': `${prose('a')} ${question}`, 'source/b.md': prose('b') });
    const build = (against: string) => folder.build(folder.spec({ stages: [{ kind: 'decontaminate', against: join(folder.dir, against) }] }));
    expect(ids(await build('sets/a.txt')).length).toBe(2);
    folder.write({ 'sets/a.txt': `${question}\n`, 'sets/short.txt': 'too short\n' });
    expect(ids(await build('sets/a.txt'))).toEqual(['source/b.md']);
    await expect(build('sets/none.txt')).rejects.toThrow(StorageError);
    await expect(build('sets/short.txt')).rejects.toThrow(ConfigError);
  });
});
