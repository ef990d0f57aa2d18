// One training run as the command line does it: data, model, executor, samples, and what is shown. Layer: cli.

import { join } from 'node:path';
import type { Executor } from '../backends/executor.ts';
import { compact, duration } from '../base/progress.ts';
import { Engine } from '../engine/index.ts';
import { modelOfSection, type Model } from '../models/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { train, type MetricsLine, type SampleContext, type TrainEvent, type TrainResult } from '../train/index.ts';
import type { Io } from './command.ts';
import { chooseExcerpts, type Excerpt } from './excerpts.ts';
import { fileMapper } from './executors.ts';
import { openCorpus, openShards, type PreparedData } from './prepare-data.ts';
import type { Recipe } from './recipe.ts';
import { version } from './version.ts';

export interface RunOptions {
  readonly recipe: Recipe;
  readonly dir: string;
  readonly data: PreparedData;
  readonly executor: Executor;
  readonly resume: boolean;
  /** Gets every line of metrics, besides what is shown of it. */
  readonly onMetrics?: (line: MetricsLine) => void;
}

/** Where a run's data lies. */
export function dataFolder(recipe: Recipe, dir: string): string {
  return recipe.data.dir ?? join(dir, 'data');
}

/** The model that a recipe asks for, with the vocabulary of its tokenizer. */
export function modelOf(recipe: Recipe, vocabSize: number): Model {
  return modelOfSection(recipe.model, { vocabSize });
}

/** A recipe with nothing left open: what is written beside the run, and resumes it. */
export function resolved(recipe: Recipe, model: Model): Recipe {
  return { ...recipe, model: { model_type: model.family.modelType, ...model.config } };
}

/** Trains, and says on standard error how it goes. */
export async function trainRun({ recipe, dir, data, executor, resume, onMetrics }: RunOptions, io: Io): Promise<TrainResult> {
  const model = modelOf(recipe, data.tokenizer.vocabSize), shards = openShards(data.dir, fileMapper(executor)), corpus = openCorpus(data.dir);
  const excerpts = recipe.train.samples.everySteps > 0 ? chooseExcerpts(corpus, 3, recipe.seed) : [], end = data.endOfText, pace = new Pace(recipe.train.steps);
  try {
    return await train({
      dir,
      model,
      config: recipe.train,
      executor,
      seed: recipe.seed,
      resume,
      signal: io.signal,
      recipe: resolved(recipe, model),
      version: version(),
      files: data.files,
      data: { train: shards.train, validation: shards.validation, sampling: recipe.data.sampling },
      configFields: end === undefined ? {} : { bos_token_id: end, eos_token_id: end },
      onMetrics: (line) => {
        pace.add(line);
        io.progress.update(() => pace.text());
        onMetrics?.(line);
      },
      onEvent: (event) => sayEvent(event, io),
      ...(excerpts.length === 0 ? {} : { sample: (context) => samples(context, data.tokenizer, excerpts) }),
    });
  } finally {
    shards.train.close();
    shards.validation?.close();
  }
}

/** What a line of metrics shows of itself, and how long the rest takes. */
class Pace {
  readonly #steps: number;
  readonly #began = performance.now();
  #first: number | undefined;
  #line: MetricsLine = {};
  #valLoss: number | undefined;

  constructor(steps: number) {
    this.#steps = steps;
  }

  add(line: MetricsLine): void {
    this.#first ??= Number(line.step) - 1;
    this.#line = line;
    if (typeof line.valLoss === 'number') this.#valLoss = line.valLoss;
  }

  text(): string {
    const { step, loss, tokensPerSecond } = this.#line, done = Number(step) - (this.#first ?? 0);
    const left = ((performance.now() - this.#began) / 1000 / done) * (this.#steps - Number(step));
    const parts = [`Training: step ${step} of ${this.#steps}`, `loss ${number(loss)}`, ...(this.#valLoss === undefined ? [] : [`held-out ${number(this.#valLoss)}`])];
    return [...parts, `${compact(Number(tokensPerSecond))} tokens/s`, `${duration(left)} left`].join(', ');
  }
}

/** A loss as people read it. */
export function number(value: unknown): string {
  return typeof value === 'number' ? value.toFixed(4) : 'not finite';
}

function sayEvent(event: TrainEvent, io: Io): void {
  switch (event.kind) {
    case 'resumed':
      return io.note(`Going on after step ${event.step}, from ${event.path}.`);
    case 'damaged':
      return io.note(`The checkpoint ${event.path} is damaged and left out: ${event.why}`);
    case 'skipped':
      return io.note(`Step ${event.step} was skipped: the gradient of "${event.tensor}" is not finite.`);
    case 'spike':
      return io.note(`The loss jumped to ${event.loss.toFixed(3)} at step ${event.step}.`);
    case 'rollback':
      return io.note(`Back from step ${event.step} to step ${event.to}; the data between is left out.`);
    case 'sample':
      return io.note(`Samples of step ${event.step} are in ${event.path}.`);
    case 'checkpoint':
      return;
    default:
      return event satisfies never;
  }
}

/** Continuations of held-out text, beside the truth. The engine shares the weights with the training. */
async function samples({ executor, model, step }: SampleContext, tokenizer: Tokenizer, excerpts: readonly Excerpt[]): Promise<string> {
  const maxLength = Math.min(model.dims.maxPositions, 256);
  const engine = new Engine(model, { executor, read: (state) => executor.state(state.id) as Float32Array, tokenizer, maxSeqs: 1, maxLength });
  const texts: string[] = [];
  try {
    for (const { id, prompt, truth } of excerpts) {
      const ids = [...tokenizer.encode(prompt, { addSpecialTokens: false })].slice(-Math.floor(maxLength / 2));
      const { text } = await engine.complete(ids, { maxTokens: Math.min(64, Math.floor(maxLength / 2)), temperature: 0.8, topP: 0.95, seed: step });
      texts.push(`=== ${id}\n--- prompt\n${prompt}\n--- model\n${text}\n--- truth\n${truth}\n`);
    }
  } finally {
    await engine.close();
  }
  return texts.join('\n');
}
