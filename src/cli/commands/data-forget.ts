// athanor data forget. Layer: cli.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { forgetTest, purgeParts, readDataJson, readTrace, why, type ShardManifest, type Why } from '../../data/index.ts';
import type { Command } from '../command.ts';
import { builtFrom, rebuildData } from '../rebuild-data.ts';
import { runsThatSaw } from '../seen-by.ts';

/** What `forgotten.json` keeps of each request, so that older shards and the runs on them stay known. */
type Entry = { pattern: string; documents: string[]; shards: string[]; contentHash: string; runs: string[] };

export const dataForget: Command = {
  name: 'data forget',
  about: [
    'Says which documents a pattern means, which shards hold their tokens, and which runs were trained on those shards; then',
    'builds the corpus again without them, and leaves them out from then on. The pattern is a part of an id, file, address or',
    'author, or a /regular expression/. What a model has learnt stays in it: train it again. Files that the recipe reads are',
    'yours to delete.',
  ].join('\n'),
  arguments: [{ name: 'PATTERN', about: 'a part of an id, file, address or author, or /expression/' }],
  options: {
    dir: { kind: 'text', value: 'DIR', about: 'the data folder (default: data)' },
    runs: { kind: 'text', value: 'DIR', about: 'where runs lie (default: runs)', repeatable: true },
    'dry-run': { kind: 'flag', about: 'say what would go, and change nothing' },
  },
  examples: ['athanor data forget example.org --dir data/web', 'athanor data forget "/^mail\\/.*@example/" --dir data/mail --dry-run'],
  run: async (args, io) => {
    const [pattern] = args.words as [string], dir = args.text('dir') ?? 'data', made = builtFrom(dir), found = find(dir, pattern);
    if (found.length === 0) throw new ConfigError(`Cannot forget "${pattern}": no document in "${dir}" has it in its id, file, address or author.`);
    const hash = existsSync(join(dir, 'train/shards.json')) ? readDataJson<ShardManifest>(dir, 'train/shards.json').contentHash : '';
    const runs = hash === '' ? [] : runsThatSaw(args.texts('runs').length > 0 ? args.texts('runs') : ['runs'], [hash, ...earlier(dir).map((entry) => entry.contentHash)]);
    const shards = [...new Set(found.flatMap((one) => (one.kept && one.tokens !== undefined ? [one.tokens.file] : [])))].sort(), documents = [...new Set(found.map(({ document }) => document.id))];
    const state = `${documents.length} documents (${documents.slice(0, 5).join(', ')}${documents.length > 5 ? ', …' : ''}) in ${shards.length} shards (${shards.join(', ')}), seen by ${runs.length === 0 ? 'no run' : runs.join(', ')}`;
    if (args.has('dry-run')) return io.result({ pattern, documents, shards, runs }, `"${pattern}" means ${state}. Nothing was changed.`);
    writeDurable(join(dir, 'forgotten.json'), `${JSON.stringify([...earlier(dir), { pattern, documents, shards, contentHash: hash, runs } satisfies Entry], null, 2)}\n`);
    await rebuildData(dir, made, { forget: [...made.data.forget ?? [], pattern] }, io);
    purgeParts(join(dir, 'work'), [pattern]);
    io.result({ pattern, documents, shards, runs }, `Forgotten: ${state}.${runs.length === 0 ? '' : ' Train those runs again: their weights still hold it.'}`);
  },
};

function earlier(dir: string): Entry[] {
  return existsSync(join(dir, 'forgotten.json')) ? readDataJson<Entry[]>(dir, 'forgotten.json') : [];
}

function find(dir: string, pattern: string): (Why & { kept: true })[] {
  const test = forgetTest([pattern]), ids = (['train', 'validation'] as const).flatMap((side) => readTrace(dir, side).filter((document) => test(document) !== undefined).map(({ id }) => id));
  return [...new Set(ids)].flatMap((id) => why(dir, id)).filter((one): one is Why & { kept: true } => one.kept);
}
