import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { confidentJoint, findLabelErrors, labelQuality, type LabelFilter } from '../../../src/data/clean/label-errors.ts';
import { crossValidate } from '../../../src/data/clean/linear-model.ts';

const CLASSIFY = join(import.meta.dirname, '../../../../shared/data/classify');
const PROBABILITIES = [[0.9, 0.1, 0], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.05, 0.9, 0.05], [0.2, 0.2, 0.6], [0.8, 0.1, 0.1]];
const LABELS = [0, 0, 1, 0, 2, 2];

/** Mean over the errors of the precision at their rank, worst score first. */
function averagePrecision(scores: Float64Array, wrong: readonly boolean[]): number {
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
  let hits = 0, sum = 0;
  order.forEach((index, rank) => {
    if (wrong[index]) sum += ++hits / (rank + 1);
  });
  return sum / hits;
}

describe('labelQuality()', () => {
  it('is the probability of the label, its margin, or the entropy over it', () => {
    expect([...labelQuality(LABELS, PROBABILITIES)]).toEqual([0.9, 0.7, 0.8, 0.05, 0.6, 0.1]);
    expect(labelQuality(LABELS, PROBABILITIES, 'normalized-margin')[3]).toBeCloseTo((0.05 - 0.9 + 1) / 2, 12);
    const entropy = -(0.05 * Math.log(0.05) * 2 + 0.9 * Math.log(0.9)) / Math.log(3) / 0.05;
    expect(labelQuality(LABELS, PROBABILITIES, 'confidence-weighted-entropy')[3]).toBeCloseTo(Math.log(entropy + 1) / entropy, 12);
  });
  it('takes thresholds off and normalises where it is adjusted', () => {
    // Mean confidence: class 0 (0.9 + 0.7 + 0.05) / 3, class 1 0.8, class 2 (0.6 + 0.1) / 2; the largest lifts all.
    const row = [0.9 - 0.55 + 0.8, 0.1, -0.35 + 0.8], sum = row[0]! + row[1]! + row[2]!;
    expect(labelQuality(LABELS, PROBABILITIES, 'adjusted-self-confidence')[0]).toBeCloseTo(row[0]! / sum, 12);
  });
});

describe('findLabelErrors()', () => {
  it('finds the two planted errors by every filter, the worst first', () => {
    for (const filter of ['confident-learning', 'prune-by-class', 'prune-by-noise-rate', 'both', 'predicted-neq-given'] satisfies LabelFilter[]) {
      expect(findLabelErrors(LABELS, PROBABILITIES, { filter }), filter).toEqual([{ index: 3, given: 0, suggested: 1, score: 0.05 }, { index: 5, given: 2, suggested: 0, score: 0.1 }]);
    }
  });
  it('counts the confident joint as the paper does', () => {
    const { joint, confident } = confidentJoint(LABELS, PROBABILITIES);
    expect(joint.map((row) => [...row])).toEqual([[2, 1, 0], [0, 1, 0], [1, 0, 1]]);
    expect([...confident]).toEqual([0, 0, 1, 1, 2, 0]);
  });
  it('refuses what does not fit, by name', () => {
    expect(() => findLabelErrors([0], PROBABILITIES)).toThrow(/1 labels for 6 rows/);
    expect(() => findLabelErrors([0, 3], [[0.5, 0.5], [0.5, 0.5]])).toThrow(/label 1 is 3/);
    expect(() => findLabelErrors([0, 1], [[0.5, 0.5], [NaN, 0.5]])).toThrow(/probability 0 of row 1 is NaN/);
    expect(findLabelErrors([], [])).toEqual([]);
  });

  it.skipIf(!existsSync(CLASSIFY))("ranks MNIST's errors, as people judged them, as well as cleanlab on the same probabilities", () => {
    const rows = readFileSync(join(CLASSIFY, 'label-errors/mnist_test.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { given_label: number; pred_probs: number[]; mturk?: { given: number } });
    const labels = rows.map((row) => row.given_label), probabilities = rows.map((row) => row.pred_probs), wrong = rows.map(({ mturk }) => mturk !== undefined && mturk.given < 3);
    // cleanlab 2.9's scores on this file: 0.50384 and 0.50708.
    expect(averagePrecision(labelQuality(labels, probabilities), wrong)).toBeGreaterThanOrEqual(0.50384 - 1e-5);
    expect(averagePrecision(labelQuality(labels, probabilities, 'normalized-margin'), wrong)).toBeGreaterThanOrEqual(0.50708 - 1e-5);
  });

  it.skipIf(!existsSync(CLASSIFY))('finds labels that were planted wrong in texts, by our own cross-validated classifier', () => {
    const examples = [...readFileSync(join(CLASSIFY, 'banking77/train.csv'), 'utf8').matchAll(/^([^",\r\n]+),(\w+)\r?$/gm)].slice(1).map((match) => ({ text: match[1]!, label: match[2]! }));
    const names = [...new Set(examples.map(({ label }) => label))].slice(0, 10), chosen = names.flatMap((name) => examples.filter(({ label }) => label === name).slice(0, 60));
    const draw = new Random(5, 'noise'), wrong = chosen.map(() => draw.uniform() < 0.05);
    const noisy = chosen.map(({ text, label }, i) => ({ text, label: wrong[i] ? names[(names.indexOf(label) + 1 + draw.int(names.length - 1)) % names.length]! : label }));
    const { classes, probabilities } = crossValidate(noisy, 3, { features: { bits: 14, wordGrams: 2, letterGrams: [3, 4] } });
    expect(averagePrecision(labelQuality(noisy.map(({ label }) => classes.indexOf(label)), probabilities), wrong)).toBeGreaterThan(0.9);
  });
});
