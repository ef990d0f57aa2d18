import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identifyLanguage, languageTag } from '../../../src/data/clean/language.ts';

// Articles of the Universal Declaration of Human Rights (free to use; OHCHR), from another source than the profiles'.
const paragraphs = readFileSync(new URL('paragraphs.jsonl', import.meta.url), 'utf8').trim().split('\n')
  .map((line) => JSON.parse(line) as { language: string; text: string });
const TEXTS = join(import.meta.dirname, '../../../../shared/data/text');

describe('identifyLanguage()', () => {
  it('names the language of every paragraph of a text that it was not trained on', () => {
    const wrong = paragraphs.filter(({ language, text }) => languageTag(identifyLanguage(text)) !== language);
    expect(paragraphs.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  it('is surer of a whole paragraph than of three words', () => {
    for (const { text } of paragraphs) expect(identifyLanguage(text).confidence).toBeGreaterThan(0.5);
    expect(identifyLanguage('qwrt zxcv plkj').confidence).toBeLessThan(0.5);
  });

  it('tells the scripts of Chinese apart, and Japanese from both', () => {
    expect(identifyLanguage('机器学习让计算机从数据中学习规律。')).toMatchObject({ language: 'zh', script: 'Hans' });
    expect(identifyLanguage('機器學習讓電腦從資料中學習規律。')).toMatchObject({ language: 'zh', script: 'Hant' });
    expect(identifyLanguage('機械学習は、データから規則を学ぶ。')).toMatchObject({ language: 'ja', script: 'Jpan' });
    expect(identifyLanguage('労働者図書館')).toMatchObject({ language: 'ja' });
    expect(identifyLanguage('這家店叫「の」，賣日式點心與飲料。').language).toBe('zh');
  });

  it('takes the language that most of a mixed text is in', () => {
    expect(identifyLanguage('我们用 function add(a, b) 这个函数把两个数相加，结果写进 result 里面，然后打印出来。').language).toBe('zh');
    expect(identifyLanguage('The word 茶 means tea in Chinese and in Japanese, and was borrowed by many languages.').language).toBe('en');
  });

  it('answers und without letters, and takes scripts of one language by the script', () => {
    for (const text of ['', ' \n', '12:30 — 5 × 7', '😀😀', '\ud800']) expect(identifyLanguage(text)).toEqual({ language: 'und', confidence: 0 });
    expect(identifyLanguage('Όλοι οι άνθρωποι γεννιούνται ελεύθεροι').language).toBe('el');
    expect(identifyLanguage('모든 인간은 태어날 때부터 자유롭다')).toMatchObject({ language: 'ko', script: 'Kore' });
  });

  it('gives the same answer for a long text in bounded time', () => {
    const dutch = paragraphs.find(({ language }) => language === 'nl')!.text;
    const begin = performance.now();
    expect(identifyLanguage(dutch.repeat(20_000)).language).toBe('nl');
    expect(identifyLanguage('İ'.repeat(1_000_000)).script).toBe('Latn');
    expect(performance.now() - begin).toBeLessThan(2000);
  });

  it.skipIf(!existsSync(TEXTS))('is right on 99% of paragraphs of English and Chinese books and articles', () => {
    const counts = { en: [0, 0], zh: [0, 0] };
    const judge = (language: 'en' | 'zh', text: string): void => {
      counts[language][1]!++;
      if (identifyLanguage(text).language === language) counts[language][0]!++;
    };
    const file = (folder: string, ending: string): string => join(TEXTS, folder, readdirSync(join(TEXTS, folder)).find((name) => name.endsWith(ending))!);
    for (const row of readFileSync(file('zh-oiwiki', '.jsonl'), 'utf8').trim().split('\n')) {
      for (const text of (JSON.parse(row) as { text: string }).text.split('\n\n')) if (text.replace(/[^\u4e00-\u9fff]/g, '').length >= 50) judge('zh', text);
    }
    for (const text of readFileSync(file('wikitext-2', '.txt'), 'utf8').split('\n')) if (text.length > 200) judge('en', text);
    expect(counts.zh[0]! / counts.zh[1]!).toBeGreaterThan(0.99);
    expect(counts.en[0]! / counts.en[1]!).toBeGreaterThan(0.99);
  });
});
