// The rule `quality-classifier`: keeps documents that a trained classifier gives a class with some probability. Layer: data
// (file access). As GPT-3's and CCNet's corpora were chosen, with our own linear model (linear-model.ts).

import { z } from 'zod';
import type { Rule } from '../stage.ts';
import { loadLinearModel } from './linear-file.ts';

const options = z.strictObject({
  model: z.string().describe('file that saveLinearModel() wrote'),
  label: z.string().default('good').describe('the class that is scored'),
  min: z.number().min(0).max(1).optional().describe('drop documents with a lower probability of it'),
  max: z.number().min(0).max(1).optional().describe('drop documents with a higher one (toxic, adult)'),
  characters: z.int().min(1).default(20_000).describe('the beginning of a document that is judged'),
});

/** A threshold on the probability of a class. */
export const qualityClassifier: Rule<z.infer<typeof options>> = {
  name: 'quality-classifier',
  about: 'Keeps documents by the probability that a trained classifier gives to a class.',
  options,
  judge: ({ model: path, label, min = 0, max = 1, characters }) => {
    const model = loadLinearModel(path);
    model.score('', label); // an unknown class is said now, not at the first document
    return ({ text }) => {
      const score = model.score(text.slice(0, characters), label);
      if (score < min) return `p(${label}) ${score.toFixed(3)} < ${min}`;
      return score > max ? `p(${label}) ${score.toFixed(3)} > ${max}` : undefined;
    };
  },
};
