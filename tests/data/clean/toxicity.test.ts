import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adult, toxicity } from '../../../src/data/clean/toxicity.ts';

const judge = (rule: typeof toxicity, text: string, options = {}) => rule.judge(rule.options.parse(options))({ id: 'a', path: 'a', group: '', text, bytes: text.length });
const NOVEL = `${'The evening was long and the guests spoke of the harvest, of the road, and of nothing else. '.repeat(40)}“You idiot,” he said. “Shut up,” she answered.`;

describe('toxicity, adult', () => {
  it('drop what is full of such words, in both languages, and say the density', () => {
    expect(judge(toxicity, 'You are a stupid idiot. Shut up, you worthless loser!')).toMatch(/^5 words such as “stupid”: 500\.0 in a thousand > 5$/);
    expect(judge(toxicity, '你这个白痴，滚开，真是个废物。')).toContain('白痴');
    expect(judge(adult, '成人视频在线观看，无码黄片，美女裸聊。')).toContain('成人视频');
    expect(judge(adult, 'Free sex videos, hot girls, live sex on webcam girls XXX')).toBeDefined();
  });
  it('keep novels, medicine and single words', () => {
    expect(judge(toxicity, NOVEL)).toBeUndefined();
    expect(judge(toxicity, NOVEL, { maxPerThousand: 1 })).toContain('2 words');
    expect(judge(toxicity, 'What a stupid mistake')).toBeUndefined();
    expect(judge(adult, '乳腺癌是女性常见的恶性肿瘤，性别和年龄是主要的风险因素。'.repeat(3))).toBeUndefined();
    expect(judge(adult, 'Sex education in schools covers pregnancy, consent and disease. '.repeat(3))).toBeUndefined();
    expect(judge(toxicity, '')).toBeUndefined();
  });
  it("take a list of the user's own", () => {
    const folder = mkdtempSync(join(tmpdir(), 'athanor-words-'));
    try {
      writeFileSync(join(folder, 'words.txt'), '# mine\nForbidden Phrase\n\n');
      expect(judge(toxicity, 'a forbidden phrase, a Forbidden phrase', { words: join(folder, 'words.txt') })).toContain('2 words such as “forbidden phrase”');
      expect(() => judge(toxicity, '', { words: join(folder, 'none.txt') })).toThrow(/there is no such file/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
