import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { loadLinearModel, readExamples, saveLinearModel } from '../../../src/data/clean/linear-file.ts';
import { crossValidate, trainLinearModel, type Example } from '../../../src/data/clean/linear-model.ts';
import { qualityClassifier } from '../../../src/data/clean/quality-classifier.ts';

const folder = mkdtempSync(join(tmpdir(), 'athanor-linear-')), path = join(folder, 'model.bin');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WORDS = { good: ['river', 'science', 'history', 'language', '研究', '历史', '自然'], bad: ['click', 'buy', 'cheap', 'casino', '优惠', '点击', '赚钱'] };
const SHARED = ['the', 'a', 'of', 'and', 'in', '的', '是'];
function examples(n: number, seed: number): Example[] {
  const draw = new Random(seed, 'texts');
  return Array.from({ length: n }, (_, i) => {
    const label = i % 2 === 0 ? 'good' : 'bad';
    // A third of the words speak for the class, one in nine for the other.
    const text = Array.from({ length: 18 }, () => (draw.int(3) > 0 ? SHARED[draw.int(7)]! : WORDS[draw.int(4) === 0 ? (label === 'good' ? 'bad' : 'good') : label][draw.int(7)]!)).join(' ');
    return { text, label };
  });
}
const features = { bits: 14, wordGrams: 2, letterGrams: [0, 0] } as const;
const model = trainLinearModel(examples(400, 1), { features });

describe('trainLinearModel()', () => {
  it('tells held-out texts apart in two languages', () => {
    const test = examples(200, 2), right = test.filter(({ text, label }) => model.score(text, label) > 0.5).length;
    expect(right / test.length).toBeGreaterThan(0.85); // words of the other class are planted: some texts speak for it
  });
  it('gives the same bits for the same seed, others for another', () => {
    const again = trainLinearModel(examples(400, 1), { features }), other = trainLinearModel(examples(400, 1), { features, seed: 1 });
    expect(again.weights).toEqual(model.weights);
    expect(other.weights).not.toEqual(model.weights);
  });
  it('gives probabilities that sum to one, for empty text too, and keeps no state between texts', () => {
    const before = model.probabilities('the river of history');
    for (const text of ['', ' ', 'x'.repeat(10_000)]) expect(model.probabilities(text).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(model.probabilities('the river of history')).toEqual(before);
  });
  it('refuses one class, a class of one example, and a class that it does not know', () => {
    expect(() => trainLinearModel([{ text: 'a', label: 'x' }])).toThrow(/1 examples of 1 class/);
    expect(() => crossValidate([{ text: 'a', label: 'x' }, { text: 'b', label: 'y' }, { text: 'c', label: 'y' }], 2)).toThrow(/"x" has one example/);
    expect(() => model.score('a', 'ugly')).toThrow(/classes are bad, good/);
  });
});

describe('crossValidate()', () => {
  it('judges each text by a model that has not seen it', () => {
    // Texts that nothing but themselves says anything about: a model that had seen them would be sure.
    const draw = new Random(3, 'noise'), noise = Array.from({ length: 200 }, (_, i) => ({ text: `w${draw.int(1e9)} w${draw.int(1e9)}`, label: i % 2 === 0 ? 'a' : 'b' }));
    const { probabilities } = crossValidate(noise, 4, { features });
    const right = probabilities.filter((row, i) => row[i % 2]! > 0.5).length / noise.length;
    expect(right).toBeLessThan(0.65);
    expect(probabilities.every((row) => Math.abs(row[0]! + row[1]! - 1) < 1e-9)).toBe(true);
  });
});

describe('saveLinearModel(), loadLinearModel()', () => {
  saveLinearModel(path, model);
  const bytes = readFileSync(path);
  it('bring back the same model', () => {
    const loaded = loadLinearModel(path);
    expect(loaded.classes).toEqual(model.classes);
    expect(loaded.probabilities('science 研究 and casino')).toEqual(model.probabilities('science 研究 and casino'));
  });
  it('refuse a file that was cut off or changed, at any place', () => {
    for (const damage of [(b: Buffer) => b.subarray(0, 5), (b: Buffer) => b.subarray(0, b.length - 1), (b: Buffer) => b.fill(b[20]! ^ 1, 20, 21), (b: Buffer) => b.fill(0, 8, 12), () => Buffer.alloc(0)]) {
      writeFileSync(path, damage(Buffer.from(bytes)));
      expect(() => loadLinearModel(path)).toThrow(/Cannot read the classifier ".*model\.bin"/);
    }
    writeFileSync(path, bytes);
    expect(() => loadLinearModel(join(folder, 'none'))).toThrow(/there is no such file/);
  });
});

describe('readExamples() and the rule quality-classifier', () => {
  it('read labelled lines and name the bad one with its offset', () => {
    const lines = join(folder, 'examples.jsonl');
    writeFileSync(lines, '{"text":"好","label":1}\n\n{"text":"b","label":"x"}\n');
    expect(readExamples(lines)).toEqual([{ text: '好', label: '1' }, { text: 'b', label: 'x' }]);
    for (const bad of ['{"text":1,"label":"x"}', '[1]', '{', 'null', '{"text":"a"}']) {
      writeFileSync(lines, `{"text":"好","label":1}\n${bad}\n`);
      expect(() => readExamples(lines)).toThrow(expect.objectContaining({ code: 'format', offset: 25 }));
    }
  });
  it('drops below and above its thresholds, and says the probability', () => {
    const judge = (options: object) => qualityClassifier.judge(qualityClassifier.options.parse({ model: path, ...options }));
    const document = (text: string) => ({ id: 'a', path: 'a', group: '', text, bytes: text.length });
    const good = document('the history of science and language'), bad = document('click and buy cheap casino 优惠');
    expect(judge({ min: 0.5 })(good)).toBeUndefined();
    expect(judge({ min: 0.5 })(bad)).toMatch(/^p\(good\) 0\.\d+ < 0\.5$/);
    expect(judge({ label: 'bad', max: 0.5 })(bad)).toMatch(/^p\(bad\) 0\.\d+ > 0\.5$/);
    expect(() => judge({ label: 'none' })).toThrow(/classes are bad, good/);
  });
});
