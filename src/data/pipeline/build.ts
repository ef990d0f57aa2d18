// A corpus from a pipeline, in a folder: what `athanor data build` runs. Layer: data.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../../base/lock.ts';
import { writeDurable } from '../../base/durable.ts';
import type { Corpus } from '../corpus.ts';
import type { WorkOptions } from '../work.ts';
import { finishCorpus } from './finish.ts';
import { forgetUnits } from './list-units.ts';
import { runPipeline, sweep } from './run.ts';
import type { PipelineSpec } from './spec.ts';

export type BuildOptions = WorkOptions & {
  /** Where the corpus goes; parts lie beside it in `work`. */
  readonly dir: string;
  readonly work: string;
  readonly processes?: number | undefined;
  /** Only the first parts of every `of`-th unit: a task of a job array. There is then no corpus yet. */
  readonly share?: { readonly rank: number; readonly of: number } | undefined;
};

/**
 * Builds a corpus, going on where an earlier build was cut off.
 *
 * @returns undefined for a share of a job array
 * @throws {ConfigError} if an option is wrong or nothing is left, {StorageError} where the disk refuses or another process
 *   builds there, {InterruptedError} on the signal
 */
export async function buildPipeline(spec: PipelineSpec, options: BuildOptions): Promise<Corpus | undefined> {
  const { dir, work, processes = availableParallelism(), share, signal, onProgress } = options;
  const context = { work, processes, seed: spec.seed, memory: spec.memory, signal, onProgress };
  if (share !== undefined) {
    await runPipeline(spec, { ...context, share }); // many at once, so no lock: files appear whole, under names of their own
    return undefined;
  }
  const lock = lockFolder(work);
  try {
    writeDurable(join(work, 'pipeline.json'), `${JSON.stringify(spec, null, 2)}\n`);
    const result = await runPipeline(spec, context), corpus = await finishCorpus(spec, result, dir, { signal, onProgress });
    sweep(work, result);
    forgetUnits(work);
    return corpus;
  } finally {
    lock.release();
  }
}
