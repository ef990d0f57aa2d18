import { describe, expect, it } from 'vitest';
import { FairnessCounter, wilson } from '../../../src/data/clean/fairness.ts';
import { ATTRIBUTE_WORDS, GROUP_WORDS } from '../../../src/data/clean/fairness-words.ts';

const report = (...texts: string[]) => {
  const counter = new FairnessCounter();
  for (const text of texts) counter.add(text);
  return counter.report();
};
const of = (result: ReturnType<typeof report>, group: string) => result.representation.find((row) => row.group === group)!;
const between = (result: ReturnType<typeof report>, group: string, attribute: string) => result.associations.find((row) => row.group === group && row.attribute === attribute)!;

describe('FairnessCounter', () => {
  it('counts mentions, sentences and documents of groups in English and Chinese', () => {
    const result = report('She met her brother. The mosque is old.\nAfrican American poetry.', '她的女儿喜欢音乐。他在公司工作。');
    expect(of(result, 'female')).toMatchObject({ mentions: 4, sentences: 2, documents: 2 });
    expect(of(result, 'male')).toMatchObject({ mentions: 2, sentences: 2, documents: 2 });
    expect(of(result, 'female').share).toBeCloseTo(4 / 6, 12);
    expect(of(result, 'african')).toMatchObject({ mentions: 1 });
    expect(of(result, 'muslim')).toMatchObject({ mentions: 1, sentences: 1, documents: 1, share: 1 });
    expect(result).toMatchObject({ documents: 2, sentences: 5 });
    expect(between(result, 'female', 'arts').together).toBe(1);
  });

  it('finds a planted association, with an interval by hand, and none where there is none', () => {
    const texts = [...Array.from({ length: 60 }, () => 'He is an engineer.'), ...Array.from({ length: 40 }, () => 'He sleeps.'), ...Array.from({ length: 10 }, () => 'She is an engineer.'), ...Array.from({ length: 90 }, () => 'She sleeps.')];
    const result = report(...texts), male = between(result, 'male', 'science');
    const odds = 60.5 * 90.5 / (40.5 * 10.5), error = Math.sqrt(1 / 60.5 + 1 / 40.5 + 1 / 10.5 + 1 / 90.5);
    expect(male.oddsRatio).toBeCloseTo(odds, 9);
    expect(male.low).toBeCloseTo(odds * Math.exp(-1.96 * error), 9);
    expect(male.high).toBeCloseTo(odds * Math.exp(1.96 * error), 9);
    expect(male.pmi).toBeCloseTo(Math.log2(60 * 200 / (100 * 70)), 9);
    expect(male.notable).toBe(true);
    expect(between(result, 'female', 'science').oddsRatio).toBeCloseTo(1 / odds, 9);
    expect(between(result, 'male', 'crime')).toMatchObject({ together: 0, notable: false });
  });

  it('gives the same report from parts that were counted apart', () => {
    const texts = ['She loves science.', '他是科学家。', 'Muslims and Christians met in peace.'], parts = texts.map((text) => {
      const counter = new FairnessCounter();
      counter.add(text);
      return counter.counts;
    });
    const merged = new FairnessCounter();
    for (const part of parts) merged.merge(part);
    expect(merged.report()).toEqual(report(...texts));
    expect(JSON.parse(JSON.stringify(merged.report()))).toEqual(merged.report());
  });

  it("takes lists of the reader's own, and stands empty text", () => {
    const counter = new FairnessCounter({ team: { red: ['red team'], blue: ['blue team'] } }, { win: ['wins'] });
    for (const text of ['The red team wins.', 'the blue team', '', 'red']) counter.add(text);
    expect(counter.report().representation.map(({ group, mentions }) => [group, mentions])).toEqual([['red', 1], ['blue', 1]]);
    expect(report('').associations.every(({ low, high, pmi }) => Number.isFinite(low) && Number.isFinite(high) && pmi === 0)).toBe(true);
  });

  it('has words of both languages in every list', () => {
    for (const words of [...Object.values(GROUP_WORDS).flatMap((groups) => Object.values(groups)), ...Object.values(ATTRIBUTE_WORDS)]) {
      expect(words.some((word) => /^[a-z ]+$/.test(word)) && words.some((word) => /^[\u4e00-\u9fff]+$/.test(word)), words.join()).toBe(true);
      expect(new Set(words).size).toBe(words.length);
    }
  });
});

describe('wilson()', () => {
  it('is the interval of the formula, and never leaves 0 … 1', () => {
    // 10 of 50: Brown, Cai & DasGupta 2001's formula by hand.
    const [low, high] = wilson(10, 50);
    expect(low).toBeCloseTo(0.1124, 4);
    expect(high).toBeCloseTo(0.3304, 4);
    expect(wilson(0, 0)).toEqual([0, 1]);
    expect(wilson(0, 10)[0]).toBe(0);
    expect(wilson(10, 10)[1]).toBe(1);
  });
});
