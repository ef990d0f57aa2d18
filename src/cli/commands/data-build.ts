// athanor data build. Layer: cli.

import { basename, extname, join } from 'node:path';
import type { Command } from '../command.ts';
import { openCorpus, openShards, prepareData } from '../prepare-data.ts';
import { loadRecipe } from '../recipe.ts';

export const dataBuild: Command = {
  name: 'data build',
  about: [
    'Reads the files that a recipe names, repairs and filters their text, drops exact and near copies, holds a part out by',
    'whole packages or folders, trains the tokenizer, and packs the tokens into shards. The folder then holds corpus/ (with a',
    'report of every file that was left out, and why), tokenizer.json, train/ and validation/. `athanor train` does the same',
    'on its own; a recipe uses a folder that is built already by data.dir.',
  ].join('\n'),
  arguments: [{ name: 'RECIPE', about: 'a recipe: YAML, or a JavaScript or TypeScript file' }],
  options: { dir: { kind: 'text', value: 'DIR', about: 'where the data goes (default: data.dir of the recipe, else data/NAME)' } },
  examples: ['athanor data build recipes/quickstart.yaml --data.path ~/notes --dir data/notes', 'athanor train recipes/quickstart.yaml --data.dir data/notes --dir runs/notes'],
  recipe: true,
  async run(args, io) {
    const [file] = args.words as [string], recipe = await loadRecipe(file, args.overrides);
    const dir = args.text('dir') ?? recipe.data.dir ?? join('data', basename(file, extname(file)));
    const { tokenizer, fresh } = await prepareData(recipe, dir, io), { report } = openCorpus(dir), { train, validation } = openShards(dir);
    const tokens = { train: train.length, validation: validation?.length ?? 0 };
    train.close();
    validation?.close();
    const state = fresh ? 'Built' : 'Already built';
    io.result({ dir, fresh, vocabSize: tokenizer.vocabSize, tokens, report }, `${state} in ${dir}: ${tokens.train} tokens to train on, ${tokens.validation} held out, vocabulary ${tokenizer.vocabSize}.`);
  },
};
