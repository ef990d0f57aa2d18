// athanor open: what a model is, what it needs here, and whether it can be used. Layer: cli.

import { totalmem } from 'node:os';
import { AthanorError, type FormatError } from '../../base/errors.ts';
import { byteSize, compact } from '../../base/progress.ts';
import type { Target } from '../../core/index.ts';
import { availableBytes } from '../../train/index.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { withExecutor } from '../executors.ts';
import { readFacts, type ModelFacts } from '../model-facts.ts';
import { cacheBytesPerToken, runNeeds, trainNeeds, type RunNeeds, type TrainNeeds } from '../model-needs.ts';
import { localModel, MODEL_ARGUMENT, openLocal, type OpenModel } from '../open-model.ts';
import { table } from '../table.ts';

/** What is said of a model. */
interface Description extends Omit<ModelFacts, 'problems'> {
  readonly model: string;
  readonly path: string;
  /** Of a hub's model: the commit that its files are of. */
  readonly commit: string | null;
  readonly supported: boolean;
  /** Why not, a sentence each. */
  readonly reasons: readonly string[];
  readonly cacheBytesPerToken: number | null;
  readonly run: readonly RunNeeds[];
  readonly train: TrainNeeds | null;
  readonly memory: { readonly total: number; readonly available: number };
}

export const open: Command = {
  name: 'open',
  about: [
    'Says what a model is, what it needs to run and to be fine-tuned on this machine (memory to the byte, by the compiled programs),',
    'and whether Athanor supports it; if not, exactly why. A hub: name is fetched first, into the cache that it is opened from ever after.',
  ].join('\n'),
  arguments: [{ ...MODEL_ARGUMENT, name: 'PATH' }],
  options: EXECUTOR_OPTIONS,
  examples: ['athanor open models/SmolLM2-135M', 'athanor open model.gguf --json', 'athanor open hub:HuggingFaceTB/SmolLM2-135M@main'],
  pipeProgressMs: 10_000,
  async run(args, io) {
    const model = args.words[0]!, { path, commit } = await localModel(model, io);
    await withExecutor(args, io, async (executor) => {
      const description = describe(model, path, commit, executor.target(), io);
      io.result(description, print(description));
    });
  },
};

function describe(model: string, path: string, commit: string | null, target: Target, io: Io): Description {
  const { problems, ...facts } = readFacts(path), opened = tryOpening(path, io);
  const memory = { total: totalmem(), available: availableBytes() }, about = { model, path, commit, ...facts };
  if ('reason' in opened) {
    const reasons = [...new Set([opened.reason, ...problems])];
    return { ...about, supported: false, reasons, cacheBytesPerToken: null, run: [], train: null, memory };
  }
  const { dims } = opened.full;
  opened.close();
  const needs = { cacheBytesPerToken: cacheBytesPerToken(opened.model), run: runNeeds(opened.model, target), train: trainNeeds(opened.full, target) };
  return { ...about, context: dims.maxPositions, supported: problems.length === 0, reasons: problems, ...needs, memory };
}

function tryOpening(path: string, io: Io): OpenModel | { readonly reason: string } {
  try {
    return openLocal(path, (text) => io.note(text));
  } catch (error) {
    if (!(error instanceof AthanorError)) throw error;
    return { reason: (error as FormatError).message };
  }
}

function print(it: Description): string {
  const { run, train, memory, tokenizer } = it, fit = (fits: boolean): string => (fits ? 'fits' : 'does not fit');
  const types = Object.entries(it.dtypes).sort(([, a], [, b]) => b - a).map(([dtype, count]) => `${dtype} ${share(count, it.parameters ?? 1)}`);
  return table([
    ['model', `${it.model}${it.commit === null ? '' : ` at commit ${it.commit}`}`],
    ...(it.path === it.model ? [] : [['at', it.path] as const]),
    ['family', `${it.family ?? 'unknown'}, ${it.format === 'gguf' ? 'GGUF' : 'safetensors'}, ${it.files} ${it.files === 1 ? 'file' : 'files'} of ${byteSize(it.fileBytes)}`],
    ['parameters', it.parameters === null ? 'unknown' : `${compact(it.parameters)} (${it.parameters}), stored as ${types.join(', ')}`],
    ['context', it.context === null ? 'unknown' : `${it.context} tokens`],
    ['tokenizer', tokenizer === null ? 'none: ids go in and come out' : tokenizer.problem ?? `${tokenizer.vocabSize} tokens`],
    ['chat template', it.chatTemplates === null ? 'none' : it.chatTemplates.join(', ')],
    ['licence', it.licence ?? 'not said'],
    ...run.map(({ context, weights, kvCache, workspace, total, fits }) => ['to run', `${byteSize(total)} at ${context} tokens (weights ${byteSize(weights)}, keys and values ${byteSize(kvCache)}, workspace ${byteSize(workspace)}): ${fit(fits)}`] as const),
    ...(train === null
      ? []
      : [['to fine-tune', `${byteSize(train.total)} for AdamW on all weights, ${train.context} tokens at a time (weights ${byteSize(train.weights)}, gradients ${byteSize(train.gradients)}, moments ${byteSize(train.moments)}, activations ${byteSize(train.activations + train.workspace)}): ${fit(train.fits)}`] as const]),
    ['memory', `${byteSize(memory.total)}, of which ${byteSize(memory.available)} can be used`],
    ['supported', it.supported ? 'yes' : `no: ${it.reasons.join(' ')}`],
  ]);
}

const share = (count: number, of: number): string => `${((100 * count) / of).toFixed(count === of ? 0 : 1)}%`;
