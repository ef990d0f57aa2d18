// athanor data build. Layer: cli.

import { basename, extname, join } from 'node:path';
import { ConfigError } from '../../base/errors.ts';
import { buildPipeline, pipelineSpec } from '../../data/index.ts';
import type { Command, Io } from '../command.ts';
import { openCorpus, openShards, prepareData, showProgress } from '../prepare-data.ts';
import { loadDataRecipe, type DataRecipe } from '../recipe.ts';

export const dataBuild: Command = {
  name: 'data build',
  about: [
    'Reads what a recipe names (data.path: files; data.sources: files, archives, pages, tables, repositories, stores), repairs',
    'and filters its text, drops exact and near copies, holds a part out by whole packages or folders, trains the tokenizer,',
    'and packs the tokens into shards. The folder then holds corpus/ (with a report of all that was left out, and why),',
    'tokenizer.json, train/ and validation/. A recipe for data needs no model. `athanor train` does the same on its own; a',
    'recipe uses a folder that is built already by data.dir.',
  ].join('\n'),
  arguments: [{ name: 'RECIPE', about: 'a recipe: YAML, or a JavaScript or TypeScript file' }],
  options: {
    rank: { kind: 'number', value: 'R', about: 'a task of a job array: make only the parts of every N-th batch from R on, and no corpus (default: SLURM_ARRAY_TASK_ID with --ranks)' },
    ranks: { kind: 'number', value: 'N', about: 'how many such tasks there are; a build without --ranks afterwards merges' },
    dir: { kind: 'text', value: 'DIR', about: 'where the data goes (default: data.dir of the recipe, else data/NAME)' },
  },
  examples: ['athanor data build recipes/quickstart.yaml --data.path ~/notes --dir data/notes', 'athanor train recipes/quickstart.yaml --data.dir data/notes --dir runs/notes'],
  recipe: true,
  async run(args, io) {
    const [file] = args.words as [string], recipe = await loadDataRecipe(file, args.overrides);
    const dir = args.text('dir') ?? recipe.data.dir ?? join('data', basename(file, extname(file)));
    const ranks = args.number('ranks');
    if (ranks !== undefined) return makeShare(recipe, dir, shareOf(args.number('rank') ?? Number(process.env['SLURM_ARRAY_TASK_ID'] ?? Number.NaN), ranks), io);
    const { tokenizer, fresh } = await prepareData(recipe, dir, io), { report } = openCorpus(dir), { train, validation } = openShards(dir);
    const tokens = { train: train.length, validation: validation?.length ?? 0 };
    train.close();
    validation?.close();
    const state = fresh ? 'Built' : 'Already built';
    io.result({ dir, fresh, vocabSize: tokenizer.vocabSize, tokens, report }, `${state} in ${dir}: ${tokens.train} tokens to train on, ${tokens.validation} held out, vocabulary ${tokenizer.vocabSize}.`);
  },
};

/** @throws {ConfigError} unless 0 ≤ rank < ranks */
function shareOf(rank: number, of: number): { rank: number; of: number } {
  if (Number.isInteger(rank) && Number.isInteger(of) && rank >= 0 && rank < of) return { rank, of };
  throw new ConfigError(`Cannot take share ${rank} of ${of}: --rank (or SLURM_ARRAY_TASK_ID) must be a whole number from 0 to ${of - 1}. Submit with --array=0-${of - 1}.`, { path: 'rank' });
}

async function makeShare(recipe: DataRecipe, dir: string, share: { rank: number; of: number }, io: Io): Promise<void> {
  if (recipe.data.sources === undefined) throw new ConfigError('Cannot share the work: the recipe has data.path. List data.sources.', { path: 'data.sources' });
  await buildPipeline(pipelineSpec(recipe.data, recipe.seed), { dir: join(dir, 'corpus'), work: join(dir, 'work'), processes: recipe.data.processes, share, signal: io.signal, onProgress: (progress) => showProgress(io, progress) });
  io.result({ dir, ...share }, `Share ${share.rank} of ${share.of} is done in ${dir}. When all are, run the same command without --rank and --ranks.`);
}
