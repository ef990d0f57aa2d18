// athanor plan. Layer: cli.

import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { CapacityError, ConfigError } from '../../base/errors.ts';
import { byteSize, compact, duration } from '../../base/progress.ts';
import { emptyReport, listFiles, readDocuments } from '../../data/index.ts';
import { loadTokenizer, TOKENIZER_FILE, trainChars } from '../../tokenizer/index.ts';
import { calibrate, checkTrainConfig, planTraining, type Calibration, type TrainingPlan } from '../../train/index.ts';
import type { Executor } from '../../backends/executor.ts';
import type { Model } from '../../models/index.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { table } from '../table.ts';
import { END_OF_TEXT, loadRecipe, type Recipe } from '../recipe.ts';
import { dataFolder, modelOf } from '../train-run.ts';

export const plan: Command = {
  name: 'plan',
  about: [
    'Says what a run will need before anything of it runs: parameters, memory by kind to the byte, arithmetic and memory traffic',
    'of a step, and, from a measurement of a few seconds on this machine, tokens a second, time and whether it fits. Nothing is written.',
  ].join('\n'),
  arguments: [{ name: 'RECIPE', about: 'a recipe: YAML, or a JavaScript or TypeScript file' }],
  options: {
    dir: { kind: 'text', value: 'RUN', about: "the run's folder, whose data is used if it is built" },
    'no-measure': { kind: 'flag', about: 'leave out the measurement, and with it speed and time' },
    ...EXECUTOR_OPTIONS,
  },
  examples: ['athanor plan recipes/gpt2-124m.yaml', 'athanor plan recipes/gpt2-124m.yaml --train.microBatchSize 1 --json'],
  recipe: true,
  async run(args, io) {
    const file = args.words[0]!, recipe = await loadRecipe(file, args.overrides), dir = args.text('dir') ?? join('runs', basename(file, extname(file)));
    const { vocabSize, from } = await vocabularyOf(recipe, dir, io), model = modelOf(recipe, vocabSize), config = recipe.train;
    checkTrainConfig(config, model.dims);
    await withExecutor(args, io, async (executor) => {
      io.progress.update(() => 'Measuring this machine for a few seconds …');
      const calibration = args.has('no-measure') ? undefined : await measure(executor, model, recipe);
      const { availableBytes: available, ...value } = planTraining(model, config, executor.target(), { calibration });
      const whole = { ...value, steps: config.steps, available, vocabSize, vocabularyFrom: from };
      io.result(whole, describe(whole));
    });
  },
};

/** Measures with an executor of its own; nothing where not even a row of the batch fits the memory. */
async function measure(executor: Executor, model: Model, { train }: Recipe): Promise<Calibration | undefined> {
  if (!planTraining(model, train, executor.target()).fits) return undefined;
  try {
    return await calibrate(executor, model, train);
  } catch (error) {
    if (error instanceof CapacityError) return undefined;
    throw error;
  }
}

/** Tokens of the vocabulary: of the data that is built, of the tokenizer that is named, or as the recipe wants it. */
async function vocabularyOf(recipe: Recipe, dir: string, io: Io): Promise<{ vocabSize: number; from: string }> {
  const { path, kind, vocabSize, endOfText } = recipe.tokenizer, built = join(dataFolder(recipe, dir), TOKENIZER_FILE);
  if (existsSync(built)) return { vocabSize: loadTokenizer(built).vocabSize, from: built };
  if (path !== undefined) return { vocabSize: loadTokenizer(path).vocabSize, from: path };
  if (kind === 'bpe') return { vocabSize, from: 'the recipe (fewer where the text is short)' };
  const special = endOfText ? [END_OF_TEXT] : [], { path: sources } = recipe.data;
  if (sources === undefined) throw new ConfigError('Cannot plan a character-level run: its vocabulary is the characters of its text. Set data.path (--data.path corpus.txt).', { path: 'data.path' });
  const report = emptyReport(), files = await listFiles(typeof sources === 'string' ? [sources] : sources, report, { signal: io.signal });
  const texts = (async function* texts() {
    for await (const { text } of readDocuments(files, report, { raw: recipe.data.raw, signal: io.signal })) yield text;
  })();
  return { vocabSize: (await trainChars(texts, { specialTokens: special })).vocabSize, from: 'the characters of the text' };
}

interface Value extends Omit<TrainingPlan, 'availableBytes'> {
  readonly steps: number;
  readonly available: number;
  readonly vocabSize: number;
  readonly vocabularyFrom: string;
}

function describe(value: Value): string {
  const { bytes, steps, tokensPerStep } = value, kinds = ['weights', 'gradients', 'moments', 'activations', 'workspace'] as const;
  return table([
    ['parameters', `${compact(value.parameters)} (${value.parameters}), vocabulary ${value.vocabSize} from ${value.vocabularyFrom}`],
    ...kinds.map((kind): [string, string] => [kind, byteSize(bytes[kind])]),
    ['peak', `${byteSize(bytes.peak)} (${bytes.peak} bytes)`],
    ['a step', `${tokensPerStep} tokens, ${compact(value.flopsPerStep)}FLOP, ${byteSize(value.bytesPerStep)} moved`],
    ...(value.tokensPerSecond === null || value.seconds === null ? [] : [
      ['speed', `${compact(value.tokensPerSecond)} tokens/s, from a measurement on this machine`],
      ['time', `${duration(value.seconds)} for ${steps} steps and their validations`],
      ['energy', `about ${compact(value.joules ?? NaN)}J (a rough guess from the number of cores)`],
    ] as [string, string][]),
    ['fits', value.fits ? `yes: ${byteSize(value.available)} are free` : `no: only ${byteSize(value.available)} are free. Lower train.microBatchSize or train.contextLength, or choose a smaller model`],
  ]);
}
