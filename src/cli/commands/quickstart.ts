// athanor quickstart: from the files that are here to a model that continues text, in minutes. Layer: cli.

import { join } from 'node:path';
import type { Executor } from '../../backends/executor.ts';
import { ConfigError, InterruptedError } from '../../base/errors.ts';
import { byteSize, compact, duration } from '../../base/progress.ts';
import { Engine } from '../../engine/index.ts';
import { countParameters } from '../../models/index.ts';
import { checkTrainConfig, type TrainResult } from '../../train/index.ts';
import { microBatches } from '../../train/config.ts';
import type { Arguments } from '../arguments.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { chooseExcerpts } from '../excerpts.ts';
import { withExecutor } from '../executors.ts';
import { measureSpeed } from '../measure-speed.ts';
import { openCorpus, openShards, prepareData, type PreparedData } from '../prepare-data.ts';
import { fitSteps } from '../quickstart/budget.ts';
import { commandName, dataOverrides, newRunFolder } from '../quickstart/sources.ts';
import { measureYardsticks, type Yardstick } from '../quickstart/yardsticks.ts';
import { loadRecipe, type Recipe } from '../recipe.ts';
import { modelOf, number, trainRun } from '../train-run.ts';
import { PACKAGE_FOLDER } from '../version.ts';

/** How many held-out completions are shown, and how long they are. */
const COMPLETIONS = 5, COMPLETION_TOKENS = 48;

export const quickstart: Command = {
  name: 'quickstart',
  about: [
    "Makes a small language model of the text that is here: reads a folder (by default this repository; in Athanor's own checkout,",
    'the documentation and sources in its node_modules), cleans and deduplicates it, trains a tokenizer, pretrains a small Llama with',
    'as many steps as fit the minutes, and shows what it can do on text it has never seen, beside gzip, zstd and a 5-gram model.',
    'Everything goes to runs/quickstart-DATE. Ctrl-C saves; the last line then says how to go on.',
  ].join('\n'),
  arguments: [{ name: 'PATH', about: 'folders or files to learn from', optional: true, repeatable: true }],
  options: {
    minutes: { kind: 'number', value: 'N', about: 'how long all of it may take (default: 4)' },
    dir: { kind: 'text', value: 'RUN', about: "the run's folder (default: runs/quickstart-DATE)" },
    recipe: { kind: 'text', value: 'FILE', about: "another recipe (default: the package's recipes/quickstart.yaml)" },
    ...EXECUTOR_OPTIONS,
  },
  examples: ['athanor quickstart', 'athanor quickstart ~/notes --minutes 10', 'athanor quickstart docs --model.num_hidden_layers 4 --seed 7'],
  recipe: true,
  pipeProgressMs: 5000,
  async run(args, io) {
    const deadline = performance.now() + 60_000 * minutesOf(args), dir = args.text('dir') ?? newRunFolder();
    const recipe = await loadRecipe(args.text('recipe') ?? join(PACKAGE_FOLDER, 'recipes', 'quickstart.yaml'), [...dataOverrides(args.words), ...args.overrides]);
    io.note(`Learning from ${[recipe.data.path ?? []].flat().join(', ')}; everything goes to ${dir}.`);
    const data = await prepareData(recipe, join(dir, 'data'), io), corpus = openCorpus(data.dir);
    if (corpus.report.split.validation.bytes === 0) throw new ConfigError('Cannot run the quickstart: the text is too little to hold a part of it out. Give a folder with more text.', { path: 'data.path' });
    io.result({ event: 'data', dir: data.dir, report: corpus.report, vocabSize: data.tokenizer.vocabSize }, `Text: ${byteSize(corpus.report.split.train.bytes)} to learn from, ${byteSize(corpus.report.split.validation.bytes)} held out by ${corpus.manifest.splitLevel}; vocabulary ${data.tokenizer.vocabSize}.`);
    const yardsticks = await measureYardsticks(corpus, io);
    await withExecutor(args, io, async (executor) => {
      const fitted = await fit({ recipe, data, executor, deadline, explicit: args.overrides.some(([key]) => key === 'train.steps') }, io);
      const result = await trainAndTell(fitted, { dir, data, executor }, io);
      report(result, yardsticks, countParameters(modelOf(fitted, data.tokenizer.vocabSize)).total, fitted.train.validation.finalBatches === undefined, io);
      await complete(fitted, data, executor, io);
      farewell(dir, result, io);
    });
  },
};

function minutesOf(args: Arguments): number {
  const minutes = args.number('minutes') ?? 4;
  if (!(minutes > 0)) throw new ConfigError(`Cannot use --minutes ${minutes}: it must be more than 0.`, { path: 'minutes' });
  return minutes;
}

interface FitOptions {
  readonly recipe: Recipe;
  readonly data: PreparedData;
  readonly executor: Executor;
  /** When all should be done, in milliseconds of performance.now(). */
  readonly deadline: number;
  /** Whether the user has chosen the steps. */
  readonly explicit: boolean;
}

/** The recipe with the steps that fit the time, by the speed of the first ones. */
async function fit({ recipe, data, executor, deadline, explicit }: FitOptions, io: Io): Promise<Recipe> {
  const model = modelOf(recipe, data.tokenizer.vocabSize), config = recipe.train;
  checkTrainConfig(config, model.dims);
  io.note(`Model: ${model.family.modelType}, ${compact(countParameters(model).total)} parameters, ${model.dims.nLayers} layers of width ${model.dims.nEmbd}, context ${config.contextLength}.`);
  if (explicit) return recipe;
  io.progress.update(() => 'Measuring the speed of the first steps …');
  const seconds = Math.min(3, (deadline - performance.now()) / 20_000), speed = await measureSpeed({ executor, model, config, seconds: Math.max(0.1, seconds), signal: io.signal });
  const shards = openShards(data.dir), { rows } = microBatches(config), perStep = config.batchSize * config.contextLength;
  const fitted = fitSteps({
    secondsLeft: (deadline - performance.now()) / 1000,
    secondsPerStep: speed.secondsPerStep,
    secondsPerEvaluation: speed.secondsPerEvaluation,
    evaluations: Math.ceil((shards.validation?.length ?? 0) / (rows * config.contextLength)),
    stepsPerEpoch: shards.train.length / perStep,
  });
  const epochs = (fitted.steps * perStep) / shards.train.length;
  shards.train.close();
  shards.validation?.close();
  io.note(`At ${compact(speed.tokensPerSecond)} tokens/s ${fitted.steps} steps of ${perStep} tokens ${fitted.bound === 'time' ? 'fit the time' : 'read this little text often enough'}: ${compact(fitted.steps * perStep)} tokens, ${epochs.toFixed(2)} passes over the text. The schedule is now fixed.`);
  const { steps, everySteps, batches, finalBatches } = fitted;
  return {
    ...recipe,
    train: {
      ...config,
      steps,
      schedule: { ...config.schedule, warmupSteps: Math.min(config.schedule.warmupSteps, Math.floor(steps / 5)) },
      validation: { everySteps, batches, ...(finalBatches === undefined ? {} : { finalBatches }) },
      checkpoint: { everySteps: 2 * everySteps, keep: 1 }, // three in all: flushing them to disk takes time from the training
    },
  };
}

async function trainAndTell(recipe: Recipe, options: { readonly dir: string; readonly data: PreparedData; readonly executor: Executor }, io: Io): Promise<TrainResult> {
  try {
    return await trainRun({
      recipe,
      ...options,
      resume: false,
      onMetrics: (line) => {
        if (io.json) io.result(line, '');
        else if (line.valLoss !== undefined) io.result(line, `Step ${String(line.step)} of ${recipe.train.steps}: loss ${number(line.loss)}, held-out loss ${number(line.valLoss)}, ${compact(Number(line.tokensPerSecond))} tokens/s.`);
      },
    }, io);
  } catch (error) {
    if (error instanceof InterruptedError) throw new InterruptedError(`${error.message.replace(/ Go on with --resume\.$/, '')} Go on with: ${commandName()} train --resume --dir ${options.dir}`, { cause: error });
    throw error;
  }
}

/** The result, beside the yardsticks. */
function report(result: TrainResult, yardsticks: readonly Yardstick[], parameters: number, whole: boolean, io: Io): void {
  const ours = { name: 'this model', bitsPerByte: result.validation?.bitsPerByte ?? null, note: `${compact(parameters)} parameters, ${byteSize(4 * parameters)} as f32; it saw ${compact(result.tokens)} tokens in ${duration(result.seconds)}${whole ? '' : '; measured on a part of the held-out text, spread over it'}` };
  io.result({ event: 'compression', parameters, modelBytes: 4 * parameters, loss: result.validation?.loss ?? null, rows: [...yardsticks, ours] }, [
    '',
    'Bits for each byte of the held-out text (less is better; what a model or dictionary weighs is not counted in):',
    ...[...yardsticks, ours].map(({ name, bitsPerByte, note }) => `  ${name.padEnd(16)} ${bitsPerByte === null ? '   –  ' : bitsPerByte.toFixed(4)}  ${note}`),
    '',
  ].join('\n'));
}

/** Held-out beginnings, continued by the model, beside how they really go on. */
async function complete(recipe: Recipe, data: PreparedData, executor: Executor, io: Io): Promise<void> {
  const { seed } = recipe, model = modelOf(recipe, data.tokenizer.vocabSize), maxLength = Math.min(model.dims.maxPositions, recipe.train.contextLength);
  const engine = new Engine(model, { executor, read: (state) => executor.state(state.id) as Float32Array, tokenizer: data.tokenizer, maxSeqs: 1, maxLength, maxTokens: maxLength, stopIds: data.endOfText === undefined ? [] : [data.endOfText] });
  if (!io.json) io.write(`${COMPLETIONS} pieces of held-out text, chosen by the seed, misses included:\n`);
  try {
    for (const [i, { id, prompt, truth }] of chooseExcerpts(openCorpus(data.dir), COMPLETIONS, seed).entries()) {
      const maxTokens = Math.min(COMPLETION_TOKENS, Math.floor(maxLength / 2)), ids = [...data.tokenizer.encode(prompt, { addSpecialTokens: false })].slice(-(maxLength - maxTokens));
      const { text } = await engine.complete(ids, { maxTokens, temperature: 0.6, topP: 0.95, seed, signal: io.signal });
      io.result({ event: 'completion', id, prompt, text, truth }, `\n[${i + 1}] ${id}\n${labelled('prompt', prompt)}\n${labelled('model', text)}\n${labelled('truth', truth.slice(0, 160))}`);
    }
  } finally {
    await engine.close();
  }
}

/** Text behind a margin that says what it is. */
function labelled(label: string, text: string): string {
  return text.split('\n').map((line, i) => `  ${(i === 0 ? label : '').padEnd(6)} | ${line}`).join('\n');
}

function farewell(dir: string, result: TrainResult, io: Io): void {
  const name = commandName();
  if (io.json) return io.result({ event: 'done', dir, model: result.model, steps: result.steps, tokens: result.tokens, seconds: result.seconds }, '');
  io.write([
    '',
    'This is a base model: it continues text as the files go, and is no assistant. It knows nothing but that text, and little of it',
    'after these few minutes.',
    '',
    'Go on with:',
    `  ${name} generate ${dir} --prompt "import { readFileSync } from"`,
    `  ${name} generate ${dir} --prompt "..." --temperature 0.8 --seed 7 --json`,
    `  ${name} plan ${join(dir, 'recipe.yaml')} --train.steps 5000`,
    `  ${name} train ${join(dir, 'recipe.yaml')} --data.dir ${join(dir, 'data')} --train.steps 5000 --dir runs/longer`,
    '',
  ].join('\n'));
}
