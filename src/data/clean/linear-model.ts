// A linear classifier of texts: logistic regression over hashed n-grams, trained by SGD. Layer: data (pure).
// p(class | text) = softmax(bias + Σ weights[bucket] / √n) over a text's n different buckets; steps by AdaGrad (Duchi et
// al. 2011), the order of examples drawn from the seed. The same texts and seed give the same model to the last bit.

import { ConfigError } from '../../base/errors.ts';
import { Random } from '../../base/random.ts';
import { FeatureReader, type FeatureOptions } from './linear-features.ts';

/** A text with its class. */
export type Example = { readonly text: string; readonly label: string };

export type TrainOptions = {
  readonly epochs: number;
  /** AdaGrad's step. */
  readonly rate: number;
  /** Weight decay for each time that a weight is used. */
  readonly decay: number;
  readonly seed: number;
  readonly features: FeatureOptions;
};

/** 2^18 buckets are 1 MiB a class; three epochs as in fastText's default of five, with AdaGrad's faster start (measured on banking77). */
export const DEFAULT_TRAINING: TrainOptions = { epochs: 5, rate: 0.5, decay: 1e-6, seed: 0, features: { bits: 18, wordGrams: 2, letterGrams: [3, 4] } };

/** A trained model. */
export class LinearModel {
  readonly classes: readonly string[];
  readonly features: FeatureOptions;
  /** [2^bits, classes] */
  readonly weights: Float32Array;
  /** [classes] */
  readonly bias: Float32Array;
  readonly #reader: FeatureReader;

  constructor(classes: readonly string[], features: FeatureOptions, weights: Float32Array, bias: Float32Array) {
    this.classes = classes;
    this.features = features;
    this.weights = weights;
    this.bias = bias;
    this.#reader = new FeatureReader(features);
  }

  /** Probabilities in the order of `classes`. */
  probabilities(text: string): Float64Array {
    return softmaxOf(this.#reader.read(text), this.weights, this.bias);
  }

  /** The probability of one class. @throws {ConfigError} if the model does not know it */
  score(text: string, label: string): number {
    const k = this.classes.indexOf(label);
    if (k < 0) throw new ConfigError(`Cannot score texts for "${label}": the model's classes are ${this.classes.join(', ')}.`, { path: 'label' });
    return this.probabilities(text)[k]!;
  }
}

/** [classes] */
function softmaxOf(buckets: Uint32Array, weights: Float32Array, bias: Float32Array): Float64Array {
  const n = bias.length, scores = new Float64Array(n), scale = buckets.length === 0 ? 0 : 1 / Math.sqrt(buckets.length);
  for (const bucket of buckets) for (let k = 0, at = bucket * n; k < n; k++) scores[k]! += weights[at + k]!;
  let top = -Infinity, sum = 0;
  for (let k = 0; k < n; k++) {
    scores[k] = scores[k]! * scale + bias[k]!;
    if (scores[k]! > top) top = scores[k]!;
  }
  for (let k = 0; k < n; k++) sum += scores[k] = Math.exp(scores[k]! - top);
  for (let k = 0; k < n; k++) scores[k]! /= sum;
  return scores;
}

/**
 * Trains a classifier from labelled texts.
 *
 * @throws {ConfigError} with fewer than two classes
 */
export function trainLinearModel(examples: readonly Example[], options: Partial<TrainOptions> = {}): LinearModel {
  const { epochs, rate, decay, seed, features } = { ...DEFAULT_TRAINING, ...options };
  const classes = [...new Set(examples.map(({ label }) => label))].sort(), n = classes.length;
  if (n < 2) throw new ConfigError(`Cannot train a classifier: ${examples.length} examples of ${n} ${n === 1 ? 'class' : 'classes'}, of two at least there must be some.`, { path: 'label' });
  const number = new Map(classes.map((name, k) => [name, k])), reader = new FeatureReader(features);
  const weights = new Float32Array(2 ** features.bits * n), squares = new Float32Array(weights.length), bias = new Float32Array(n), biasSquares = new Float32Array(n);
  const order = Uint32Array.from(examples, (_, i) => i), random = new Random(seed, 'data.linear-model');
  for (let epoch = 0; epoch < epochs; epoch++) {
    random.shuffle(order);
    for (const index of order) {
      const { text, label } = examples[index]!, buckets = reader.read(text), probabilities = softmaxOf(buckets, weights, bias), right = number.get(label)!;
      const scale = buckets.length === 0 ? 0 : 1 / Math.sqrt(buckets.length);
      for (let k = 0; k < n; k++) {
        const slope = probabilities[k]! - (k === right ? 1 : 0);
        // A class that is out of the question moves nothing: with 77 classes that is most of the work.
        if (slope > -1e-4 && slope < 1e-4) continue;
        biasSquares[k]! += slope * slope;
        bias[k]! -= rate * slope / (Math.sqrt(biasSquares[k]!) + 1e-8);
        const step = slope * scale, square = step * step;
        for (const bucket of buckets) {
          const at = bucket * n + k, sum = squares[at] = squares[at]! + square;
          weights[at] = weights[at]! * (1 - decay) - rate * step / (Math.sqrt(sum) + 1e-8);
        }
      }
    }
  }
  return new LinearModel(classes, features, weights, bias);
}

/**
 * Probabilities for each text by a model that has not seen it: the texts are dealt to `folds` parts (by the seed, class by
 * class), each is judged by a model of the others.
 *
 * @returns `classes` and for each text its probabilities in their order
 * @throws {ConfigError} if a class has fewer texts than two
 */
export function crossValidate(examples: readonly Example[], folds: number, options: Partial<TrainOptions> = {}): { classes: string[]; probabilities: Float64Array[] } {
  const classes = [...new Set(examples.map(({ label }) => label))].sort(), part = new Uint32Array(examples.length);
  for (const name of classes) {
    const members = Uint32Array.from(examples.flatMap(({ label }, i) => (label === name ? [i] : [])));
    if (members.length < 2) throw new ConfigError(`Cannot cross-validate: "${name}" has one example, and the model that judges it would not know the class. Leave it out, or add examples.`, { path: 'label' });
    new Random(options.seed ?? 0, `data.folds.${name}`).shuffle(members);
    members.forEach((index, i) => part[index] = i % folds);
  }
  const probabilities: Float64Array[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const model = trainLinearModel(examples.filter((_, i) => part[i] !== fold), options);
    examples.forEach(({ text }, i) => {
      if (part[i] !== fold) return;
      const judged = model.probabilities(text), row = new Float64Array(classes.length);
      model.classes.forEach((name, k) => row[classes.indexOf(name)] = judged[k]!);
      probabilities[i] = row;
    });
  }
  return { classes, probabilities };
}
