// athanor train. Layer: cli.

import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { ConfigError } from '../../base/errors.ts';
import { byteSize, duration } from '../../base/progress.ts';
import type { ExecutableProgram } from '../../backends/executor.ts';
import type { MetricsLine } from '../../train/index.ts';
import type { Arguments } from '../arguments.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { prepareData } from '../prepare-data.ts';
import { describeProfile, PROFILE_OPTION, profiled, takeProfile } from '../profile.ts';
import { loadRecipe, type Recipe } from '../recipe.ts';
import { dataFolder, number, trainRun } from '../train-run.ts';

export const trainCommand: Command = {
  name: 'train',
  about: [
    "Trains a model by a recipe. The run's folder gets the resolved recipe, metrics.jsonl (a line a step), samples, checkpoints,",
    "and in the end model/, a folder that Hugging Face's libraries load. Data and tokenizer are built first where they are not",
    'there. With --json and --profile a last line is {profile}. Ctrl-C, a crash or a power cut lose nothing but the steps since the last checkpoint: --resume goes on bit for bit.',
  ].join('\n'),
  arguments: [{ name: 'RECIPE', about: "a recipe; with --resume, the run's own by default", optional: true }],
  options: {
    dir: { kind: 'text', value: 'RUN', about: "the run's folder (default: runs/NAME of the recipe)" },
    resume: { kind: 'flag', about: 'go on from the last checkpoint, or begin if there is none' },
    profile: PROFILE_OPTION,
    ...EXECUTOR_OPTIONS,
  },
  examples: [
    'athanor train recipes/shakespeare-char.yaml --data.path input.txt --dir runs/shakespeare',
    'athanor train --resume --dir runs/shakespeare',
    'athanor train recipes/quickstart.yaml --data.path ~/notes --train.steps 500 --seed 7 --json',
  ],
  recipe: true,
  async run(args, io) {
    const resume = args.has('resume'), { recipe, dir } = await recipeOf(args, resume);
    const data = await prepareData(recipe, dataFolder(recipe, dir), io, { reuseOnly: resume });
    await withExecutor(args, io, async (opened) => {
      const executor = profiled(args, opened, phaseOf);
      const result = await trainRun({ recipe, dir, data, executor, resume, onMetrics: (line) => show(line, recipe, io) }, io);
      const validation = result.validation === undefined ? '' : ` Held-out loss ${number(result.validation.loss)}${result.validation.bitsPerByte === undefined ? '' : `, ${result.validation.bitsPerByte.toFixed(4)} bits a byte`}.`;
      io.note(`Done: ${result.steps} steps in ${duration(result.seconds)}, ${byteSize(result.memory.peak)} of memory.${validation} The model is in ${result.model}; try \`athanor generate ${result.model} --prompt …\`.`);
      const profile = await takeProfile(executor);
      if (profile !== undefined) io.result({ profile }, describeProfile(profile));
    });
  },
};

/** A run's programs are told apart by what they give. */
function phaseOf({ outputs }: ExecutableProgram): string {
  return Object.hasOwn(outputs, 'logits') ? 'samples' : Object.hasOwn(outputs, 'logprob') ? 'validation' : 'step';
}

async function recipeOf(args: Arguments, resume: boolean): Promise<{ recipe: Recipe; dir: string }> {
  const [file] = args.words, given = args.text('dir');
  if (file !== undefined) return { recipe: await loadRecipe(file, args.overrides), dir: given ?? join('runs', basename(file, extname(file))) };
  if (!resume || given === undefined) throw new ConfigError('Cannot train: RECIPE is missing. Give a recipe, or --resume with the --dir of a run. See `athanor train --help`.');
  const own = join(given, 'recipe.yaml');
  if (!existsSync(own)) throw new ConfigError(`Cannot resume "${given}": there is no run (no recipe.yaml). Give the recipe to begin one.`, { path: 'dir' });
  return { recipe: await loadRecipe(own, args.overrides), dir: given };
}

/** Every line as JSON; for people those that say something new. */
function show(line: MetricsLine, { train: { steps } }: Recipe, io: Io): void {
  const step = Number(line.step);
  if (!io.json && line.valLoss === undefined && step !== 1 && step % 100 !== 0 && step !== steps) return;
  const valLoss = line.valLoss === undefined ? '' : `  held-out ${number(line.valLoss)}`;
  io.result(line, `step ${String(step).padStart(String(steps).length)}  loss ${number(line.loss)}${valLoss}  lr ${Number(line.lr).toExponential(2)}  ${line.tokensPerSecond} tokens/s`);
}
