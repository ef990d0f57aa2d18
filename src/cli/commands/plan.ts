// athanor plan. Layer: cli.

import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { NativeExecutor } from '../../backends/native/index.ts';
import type { Executor } from '../../backends/executor.ts';
import { CapacityError, ConfigError } from '../../base/errors.ts';
import { byteSize, compact, duration } from '../../base/progress.ts';
import type { Program } from '../../core/index.ts';
import { emptyReport, listFiles, readDocuments } from '../../data/index.ts';
import { countParameters, type Model } from '../../models/index.ts';
import { loadTokenizer, TOKENIZER_FILE, trainChars } from '../../tokenizer/index.ts';
import { availableBytes, checkTrainConfig, compileTraining, microBatches, trainingBytes, type TrainConfig, type TrainingBytes, type TrainingPrograms } from '../../train/index.ts';
import { compileToFit } from '../../train/capacity.ts';
import { stateBytes } from '../../train/programs.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { table } from '../help.ts';
import { measureSpeed } from '../measure-speed.ts';
import { loadRecipe, type Recipe } from '../recipe.ts';
import { dataFolder, modelOf } from '../train-run.ts';

type Estimate = { readonly tokensPerSecond: number; readonly secondsPerStep: number; readonly joulesPerStep: number | undefined; readonly method: 'measured' | 'limits' };

export const plan: Command = {
  name: 'plan',
  about: [
    'Says what a run will need before anything of it runs: parameters, memory by kind to the byte, arithmetic and memory traffic',
    'of a step, and, from a measurement of a few seconds on this machine, tokens a second, time and whether it fits. Nothing is written.',
  ].join('\n'),
  arguments: [{ name: 'RECIPE', about: 'a recipe: YAML, or a JavaScript or TypeScript file' }],
  options: {
    dir: { kind: 'text', value: 'RUN', about: 'the run\'s folder, whose data is used if it is built' },
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
      const have = availableBytes(), made = programsOf(model, config, executor, have), { count } = microBatches(config), { steps, batchSize, contextLength } = config;
      const bytes = made.programs === undefined ? undefined : trainingBytes(made.programs), costs = made.programs === undefined ? undefined : costOf(made.programs, count);
      const speed = args.has('no-measure') ? undefined : await estimate(executor, model, config, made, costs, io);
      const peak = bytes?.peak ?? stateBytes(model), seconds = speed === undefined ? null : speed.secondsPerStep * steps;
      const value = {
        parameters: countParameters(model).total, bytes: bytes ?? { peak }, flopsPerStep: costs?.flops ?? null, bytesPerStep: costs?.bytes ?? null,
        tokensPerStep: batchSize * contextLength, steps, tokensPerSecond: speed?.tokensPerSecond ?? null, seconds,
        joules: speed?.joulesPerStep === undefined ? null : speed.joulesPerStep * steps, fits: made.fits, available: have, method: speed?.method ?? null,
        recomputed: made.recomputed, vocabSize, vocabularyFrom: from,
      };
      io.result(value, describe(value));
    });
  },
};

/** Tokens of the vocabulary: of the data that is built, of the tokenizer that is named, or as the recipe wants it. */
async function vocabularyOf(recipe: Recipe, dir: string, io: Io): Promise<{ vocabSize: number; from: string }> {
  const { path, kind, vocabSize, endOfText } = recipe.tokenizer, built = join(dataFolder(recipe, dir), TOKENIZER_FILE);
  if (existsSync(built)) return { vocabSize: loadTokenizer(built).vocabSize, from: built };
  if (path !== undefined) return { vocabSize: loadTokenizer(path).vocabSize, from: path };
  if (kind === 'bpe') return { vocabSize, from: 'the recipe (fewer where the text is short)' };
  const special = endOfText ? ['<|endoftext|>'] : [], { path: sources } = recipe.data;
  if (sources === undefined) throw new ConfigError('Cannot plan a character-level run: its vocabulary is the characters of its text. Set data.path (--data.path corpus.txt).', { path: 'data.path' });
  const report = emptyReport(), files = await listFiles(typeof sources === 'string' ? [sources] : sources, report, { signal: io.signal });
  const texts = (async function* texts() {
    for await (const { text } of readDocuments(files, report, { raw: recipe.data.raw, signal: io.signal })) yield text;
  })();
  return { vocabSize: (await trainChars(texts, { specialTokens: special })).vocabSize, from: 'the characters of the text' };
}

interface Made {
  /** None where not even the weights fit. */
  readonly programs: TrainingPrograms | undefined;
  readonly fits: boolean;
  /** Whether values are computed twice to fit. */
  readonly recomputed: boolean;
}

function programsOf(model: Model, config: TrainConfig, executor: Executor, have: number): Made {
  const target = executor.target();
  try {
    const programs = compileToFit(model, config, target, have), plain = compileTraining(model, config, target);
    return { programs, fits: true, recomputed: trainingBytes(programs).peak < trainingBytes(plain).peak };
  } catch (error) {
    if (!(error instanceof CapacityError)) throw error;
    return { programs: compileTraining(model, config, target), fits: false, recomputed: false };
  }
}

/** Arithmetic and memory traffic of an optimizer step. */
function costOf({ microFirst, microNext, norm, update }: TrainingPrograms, count: number): { flops: number; bytes: number; list: readonly Program[] } {
  const list = [microFirst, ...Array.from({ length: count - 1 }, () => microNext!), norm, update];
  return { flops: list.reduce((n, p) => n + p.plan.flops, 0), bytes: list.reduce((n, p) => n + p.plan.bytesMoved, 0), list };
}

/** By running a few steps where they fit, else by the machine's measured limits. */
async function estimate(executor: Executor, model: Model, config: TrainConfig, made: Made, costs: ReturnType<typeof costOf> | undefined, io: Io): Promise<Estimate | undefined> {
  if (made.fits && made.programs !== undefined) {
    io.progress.update(() => 'Measuring a few steps …');
    return { ...(await measureSpeed({ executor, model, config, programs: made.programs, signal: io.signal })), method: 'measured' };
  }
  if (costs === undefined || !(executor instanceof NativeExecutor)) return undefined;
  io.progress.update(() => 'Measuring the machine …');
  const { f32Flops, readBytes } = await executor.measurePeak();
  const secondsPerStep = costs.list.flatMap((program) => program.plan.instructions).reduce((sum, { flops, bytes }) => sum + Math.max(flops / f32Flops, bytes / readBytes), 0);
  return { secondsPerStep, tokensPerSecond: (config.batchSize * config.contextLength) / secondsPerStep, joulesPerStep: undefined, method: 'limits' };
}

interface Value {
  readonly parameters: number; readonly bytes: Partial<TrainingBytes> & Pick<TrainingBytes, 'peak'>;
  readonly flopsPerStep: number | null; readonly bytesPerStep: number | null; readonly tokensPerStep: number; readonly steps: number; readonly tokensPerSecond: number | null;
  readonly seconds: number | null; readonly joules: number | null; readonly fits: boolean; readonly available: number; readonly method: Estimate['method'] | null;
  readonly recomputed: boolean; readonly vocabSize: number; readonly vocabularyFrom: string;
}

function describe(value: Value): string {
  const { bytes, steps, tokensPerStep } = value, kinds = ['weights', 'gradients', 'moments', 'activations', 'workspace'] as const;
  return table([
    ['parameters', `${compact(value.parameters)} (${value.parameters}), vocabulary ${value.vocabSize} from ${value.vocabularyFrom}`],
    ...kinds.filter((kind) => bytes[kind] !== undefined).map((kind): [string, string] => [kind, byteSize(bytes[kind]!)]),
    ['peak', `${byteSize(bytes.peak)} (${bytes.peak} bytes)${value.recomputed ? ', with values computed twice to fit' : ''}`],
    ['a step', `${tokensPerStep} tokens, ${compact(value.flopsPerStep ?? NaN)}FLOP, ${byteSize(value.bytesPerStep ?? NaN)} moved`],
    ...(value.tokensPerSecond === null ? [] : [
      ['speed', `${compact(value.tokensPerSecond)} tokens/s (${value.method === 'measured' ? 'measured on this machine' : 'at most: by the limits of this machine'})`],
      ['time', `${duration(value.seconds ?? NaN)} for ${steps} steps`],
      ['energy', value.joules === null ? 'unknown: the processor has no energy counter that may be read' : `${compact(value.joules)}J`],
    ] as [string, string][]),
    ['fits', value.fits ? `yes: ${byteSize(value.available)} are free` : `no: only ${byteSize(value.available)} are free. Lower train.microBatchSize or train.contextLength, or choose a smaller model`],
  ]);
}
