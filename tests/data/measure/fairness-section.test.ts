import { describe, expect, it } from 'vitest';
import { FairnessCounter } from '../../../src/data/clean/fairness.ts';
import { fairnessSection } from '../../../src/data/measure/fairness-section.ts';

/** Women stand with family and men with science, in 120 sentences each: plain enough to be notable after correction. */
function skewed(): FairnessCounter {
  const counter = new FairnessCounter();
  for (let i = 0; i < 60; i++) counter.add('She is at home with her family. He is an engineer of great technology. 她在照顾家庭。他是工程师。');
  return counter;
}

describe('fairnessSection()', () => {
  it('shows shares that sum to one in a dimension, with intervals, and the associations that were planted', () => {
    const report = skewed().report(), section = fairnessSection(report);
    const women = report.representation.find(({ dimension, group }) => dimension === 'gender' && /^(women|female)$/.test(group))!;
    expect(women).toMatchObject({ documents: 60, share: 0.6 }); // she, her, 她 · he, 他
    expect(section).toContain(`<code>${women.group}</code></td><td class="n">${women.mentions}</td><td class="n">60</td><td class="n">60.0%</td><td class="n">${(100 * women.shareLow).toFixed(1)}% – ${(100 * women.shareHigh).toFixed(1)}%`);
    const notable = report.associations.filter((association) => association.notable);
    expect(notable.some(({ group, oddsRatio }) => group === women.group && oddsRatio > 10)).toBe(true);
    expect(section.match(/<td class="n">[\d.]+ – [\d.]+<\/td>/g)).toHaveLength(notable.length);
    expect(section).toContain('公平性');
  });

  it('says so where nobody is named, and has no numbers that are none', () => {
    const counter = new FairnessCounter();
    counter.add('The stone lay upon the hill.');
    const section = fairnessSection(counter.report());
    expect(section).toContain('nothing');
    expect(section).not.toMatch(/NaN|Infinity|undefined/);
  });
});
