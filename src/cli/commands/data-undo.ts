// athanor data undo. Layer: cli.

import { ConfigError } from '../../base/errors.ts';
import type { Command } from '../command.ts';
import { didYouMean } from '../nearest.ts';
import { openCorpus } from '../prepare-data.ts';
import { builtFrom, rebuildData } from '../rebuild-data.ts';
import type { Recipe } from '../recipe.ts';

type Stages = NonNullable<Recipe['data']['stages']>;

export const dataUndo: Command = {
  name: 'data undo',
  about: [
    'Builds a corpus again without a rule, as if it had never been there. Only what depends on it is computed again: parts on',
    'which it had no effect, and everything before it, are taken as they are. RULE is a stage of the recipe (near), or one of',
    'the rules of a stage that can leave some out (basic-filters/too-short), as the report names them.',
  ].join('\n'),
  arguments: [{ name: 'RULE', about: 'a stage, or stage/rule' }],
  options: { dir: { kind: 'text', value: 'DIR', about: 'the data folder (default: data)' } },
  examples: ['athanor data undo near --dir data/notes', 'athanor data undo basic-filters/generated --dir data/notes'],
  run: async (args, io) => {
    const [rule] = args.words as [string], dir = args.text('dir') ?? 'data', made = builtFrom(dir), before = openCorpus(dir).report.documents.kept;
    const stages = without(made.data.stages ?? ['basic-filters', 'exact', 'near'], rule);
    await rebuildData(dir, made, { stages }, io);
    const after = openCorpus(dir).report.documents.kept;
    io.result({ dir, rule, before, after, stages }, `Without ${rule}: ${after} documents, where there were ${before}. Stages now: ${stages.map(nameOf).join(', ') || 'none'}.`);
  },
};

const nameOf = (stage: Stages[number]): string => (typeof stage === 'string' ? stage : stage.kind);

function without(stages: Stages, rule: string): Stages {
  const whole = stages.filter((stage) => nameOf(stage) !== rule && fileName(nameOf(stage)) !== rule);
  if (whole.length < stages.length) return whole;
  const [kind, part] = rule.split('/') as [string, string | undefined], at = stages.findIndex((stage) => nameOf(stage) === kind), stage = stages[at];
  if (stage === undefined || part === undefined) throw new ConfigError(`Cannot undo "${rule}": the corpus was built without it${didYouMean(rule, stages.map(nameOf))}`, { path: 'data.stages' });
  const given = typeof stage === 'string' ? { kind: stage } : stage, left = (given as { without?: string[] }).without ?? [];
  return stages.with(at, { ...given, without: [...left, part] });
}

/** A user's stage, by the name of its file without folder and ending. */
function fileName(path: string): string {
  return path.replace(/^.*[\\/]/, '').replace(/\.\w+$/, '');
}
