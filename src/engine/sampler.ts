// From logits to a token, for one request. Layer: engine.
// Logits are changed in this order: logit bias, repetition penalty (Keskar et al. 2019, arXiv 1909.05858, section 4.1, over
// prompt and answer as in Hugging Face's generation), frequency and presence penalties (OpenAI's definition, over the answer:
// logit −= count·frequency + (count > 0)·presence), the mask of a constraint; then `Chooser`.

import { z } from 'zod';
import { ConfigError } from '../base/errors.ts';
import { Random } from '../base/random.ts';
import { Chooser } from './chooser.ts';

/** How tokens are chosen. The command line, recipes and servers show these fields. */
export const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(100).default(1).describe('divides the logits; 0 always takes the likeliest token'),
  topK: z.int().min(0).default(0).describe('keep this many of the likeliest tokens; 0 keeps all'),
  topP: z.number().gt(0).max(1).default(1).describe('keep the likeliest tokens that together have this probability'),
  minP: z.number().min(0).max(1).default(0).describe('drop tokens less likely than this share of the likeliest one'),
  repetitionPenalty: z.number().gt(0).default(1).describe('makes tokens that were there before less likely, above 1'),
  frequencyPenalty: z.number().min(-100).max(100).default(0).describe('taken off a logit for each time that the answer has its token'),
  presencePenalty: z.number().min(-100).max(100).default(0).describe('taken off the logits of tokens that the answer has'),
  seed: z.int().min(0).default(0).describe('the same seed gives the same text'),
});

export type Sampling = z.infer<typeof samplingSchema>;

/** Added to the logits of some tokens, by id. */
export type LogitBias = Readonly<Record<number, number>>;

/** What the requests of an engine share: memory that is used again for every token. */
export class SamplerMemory {
  readonly chooser = new Chooser();
  readonly scores: Float32Array;

  constructor(vocabSize: number) {
    this.scores = new Float32Array(vocabSize);
  }
}

export class Sampler {
  readonly sampling: Sampling;
  readonly #memory: SamplerMemory;
  readonly #bias: readonly (readonly [id: number, bias: number])[];
  /** How often the answer has each token. */
  readonly #counts = new Map<number, number>();
  /** Tokens of prompt and answer; kept only where it is asked for. */
  readonly #seen: Set<number> | undefined;

  /** @throws {ConfigError} if a bias is not a number for an id of the vocabulary */
  constructor(sampling: Sampling, memory: SamplerMemory, { prompt = [], logitBias = {} }: { prompt?: Iterable<number>; logitBias?: LogitBias } = {}) {
    this.sampling = sampling;
    this.#memory = memory;
    this.#bias = Object.entries(logitBias).map(([word, bias]) => [Number(word), bias] as const);
    this.#seen = sampling.repetitionPenalty === 1 ? undefined : new Set(prompt);
    const wrong = this.#bias.find(([id, bias]) => !(Number.isInteger(id) && id >= 0 && id < memory.scores.length) || typeof bias !== 'number' || Number.isNaN(bias));
    if (wrong) throw new ConfigError(`Cannot use the logit bias ${String(wrong[1])} for the token ${wrong[0]}: give a number for an id of 0 to ${memory.scores.length - 1}.`, { path: 'logitBias' });
  }

  /**
   * Chooses the next token; `accept` then takes it.
   *
   * @param logits [V], not changed
   * @param position tokens generated before: with the seed it decides the random number, so that a request's text does not
   * depend on what else is in the batch
   * @param mask a bit for each token that may be chosen; all may without one
   */
  choose(logits: Float32Array, position: number, mask?: Uint32Array): number {
    const uniform = this.sampling.temperature === 0 ? 0 : new Random(this.sampling.seed, 'sample', 4 * position).uniform();
    return this.#memory.chooser.choose(this.#scores(logits, mask), this.sampling, uniform);
  }

  accept(id: number): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    this.#seen?.add(id);
  }

  #scores(logits: Float32Array, mask: Uint32Array | undefined): Float32Array {
    const { repetitionPenalty: repetition, frequencyPenalty: frequency, presencePenalty: presence } = this.sampling;
    const counts = frequency !== 0 || presence !== 0;
    if (this.#bias.length === 0 && !this.#seen && !counts && !mask) return logits;
    const { scores } = this.#memory;
    scores.set(logits);
    for (const [id, bias] of this.#bias) scores[id]! += bias;
    if (this.#seen) { for (const id of this.#seen) scores[id] = scores[id]! > 0 ? scores[id]! / repetition : scores[id]! * repetition; }
    if (counts) { for (const [id, count] of this.#counts) scores[id]! -= count * frequency + presence; }
    if (mask) hide(scores, mask);
    return scores;
  }
}

/** Minus infinity for what a mask does not allow. */
function hide(scores: Float32Array, mask: Uint32Array): void {
  for (let word = 0, first = 0; first < scores.length; word++, first += 32) {
    const bits = mask[word]!, end = Math.min(scores.length, first + 32);
    if (bits === 0) scores.fill(-Infinity, first, end);
    else if (bits !== 0xffffffff) { for (let id = first; id < end; id++) if (((bits >>> (id - first)) & 1) === 0) scores[id] = -Infinity; }
  }
}

/**
 * Chooses one token, for those who have no request.
 *
 * @param logits [V], not changed
 * @param history ids so far, prompt included (for the repetition penalty)
 * @param position as for `Sampler.choose`
 */
export function sample(logits: Float32Array, history: Iterable<number>, options: Sampling, position: number): number {
  return new Sampler(options, new SamplerMemory(logits.length), { prompt: history }).choose(logits, position);
}
