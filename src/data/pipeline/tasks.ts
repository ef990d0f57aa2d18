// What a worker can be asked: to make a part, or to index one. Layer: data (file access).
// Requests are JSON. What they make is a file whose name is a hash of all that it depends on, so that work is done once,
// whoever does it.

import { existsSync } from 'node:fs';
import type { Unit } from '../source-kind.ts';
import type { Numbered } from '../stage.ts';
import { throwIfAborted } from '../work.ts';
import { makePart, type PartInput } from './make-part.ts';
import { readManifest } from './part-file.ts';
import { openSource, type OpenSource } from './sources.ts';
import type { SourceSpec, StageSpec } from './spec.ts';
import { openStage, type OpenStage } from './stages.ts';
import { readView, type View } from './view.ts';

/** What is to be made. */
export type Task =
  | { readonly kind: 'part'; readonly dir: string; readonly key: string; readonly from: { readonly source: SourceSpec; readonly units: readonly Unit[] } | { readonly views: readonly View[] }; readonly stages: readonly StageSpec[]; readonly seed: number; readonly strict: boolean }
  | { readonly kind: 'index'; readonly file: string; readonly view: View; readonly stage: StageSpec; readonly seed: number; readonly memory: number };

/** Does tasks, with the sources and stages that it opened before. */
export class Tasks {
  readonly #sources = new Map<string, Promise<OpenSource>>();
  readonly #stages = new Map<string, Promise<OpenStage>>();

  /** Does one task. What is there already is not done again. */
  async run(task: Task, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, 'read');
    if (task.kind === 'part') {
      const { dir, key, from, seed, strict } = task;
      if (readManifest(dir, key) !== undefined) return;
      const stages = await Promise.all(task.stages.map((spec) => this.#stage(spec)));
      const input: PartInput = 'views' in from ? from : { source: await this.#source(from.source), name: from.source.name, units: from.units };
      await makePart(input, stages, { dir, key, seed, strict, signal });
    } else {
      if (existsSync(task.file)) return;
      const { kind, options } = await this.#stage(task.stage);
      await kind.phases!.index(options, numbered(task.view, signal), task.file, { seed: task.seed, memory: task.memory, signal });
    }
  }

  #source(spec: SourceSpec): Promise<OpenSource> {
    return remember(this.#sources, JSON.stringify(spec), () => openSource(spec));
  }

  #stage(spec: StageSpec): Promise<OpenStage> {
    return remember(this.#stages, JSON.stringify(spec), () => openStage(spec));
  }
}

async function* numbered(view: View, signal: AbortSignal | undefined): AsyncGenerator<Numbered> {
  for (const document of readView(view)) {
    throwIfAborted(signal, 'read');
    yield document;
  }
}

function remember<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
