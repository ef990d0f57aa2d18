// From a recipe to finished parts. Layer: data (file access, processes).
//
// A recipe's `data` section lists `sources` and `stages`. Each source lists its units once; units (small ones in
// batches) are shared over worker processes. What happens then has three forms:
//  - Stages of scope `document` in a row make a segment: a worker streams a unit through it into one part (part-file.ts).
//  - A stage of scope `corpus` with phases is a barrier: every part is indexed by some worker, one process decides, and
//    the decisions lie beside the parts. No text is copied: a view (view.ts) applies decisions when a part is next read.
//  - A stage of scope `corpus` without phases (a user's) sees one stream of all parts, in one process.
// Every file in DIR/work is named by a hash of all that it depends on: unit, options, stages, seed, for later segments what
// the part showed. So what is finished is never done again, after kill -9 too; other processes and machines may do it; and
// the bytes do not depend on who did. A changed recipe recomputes what depends on the change, and a part on which a removed
// stage had no effect is taken over as it is. Units keep their order to the end: the corpus is the same for any number of
// processes. A worker that dies is replaced, its unit tried once more, then skipped with the reason.

import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { storageError, writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { Pacer } from '../work.ts';
import { runCorpusStage, type BuildContext } from './corpus-stage.ts';
import { intoBatches, listUnits, type Batch, type ListedUnit } from './list-units.ts';
import { partPaths, readManifest } from './part-file.ts';
import { runTasks } from './pool.ts';
import { fingerprint, type PipelineSpec, type StageSpec } from './spec.ts';
import { openStage, type OpenStage } from './stages.ts';
import { emptyTally, mergeTally, recordReason, type Tally } from './tally.ts';
import type { Task } from './tasks.ts';
import { viewHash, type View } from './view.ts';

/** Finished parts, in the order of units, with the number of their source (-1: of several). */
export type PipelineResult = {
  readonly parts: readonly { readonly source: number; readonly view: View }[];
  readonly units: number;
  readonly tally: Tally;
  /** Files of dropped documents, in the order of stages. */
  readonly drops: readonly string[];
};

export type PipelineOptions = BuildContext & {
  /** Parts of other corpora that stages over the whole corpus compare with. */
  readonly settled?: readonly View[];
  /** Makes only the first parts of every `of`-th unit from `rank` on, and their indexes: a task of a job array. */
  readonly share?: { readonly rank: number; readonly of: number };
};

type Segment = { readonly stages: readonly OpenStage[]; readonly specs: readonly StageSpec[]; readonly corpus: boolean };
type PartTask = Task & { readonly kind: 'part' };
type First = { readonly batch: Batch; readonly task: PartTask };
type Part = { readonly source: number; readonly view: View };

/**
 * Runs all stages.
 *
 * @throws {ConfigError} if an option is wrong, {StorageError} where the disk refuses, {InterruptedError} on the signal; what
 *   was finished stays
 */
export async function runPipeline(spec: PipelineSpec, options: PipelineOptions): Promise<PipelineResult> {
  const parts = join(options.work, 'parts');
  makeFolder(parts);
  const stages = await Promise.all(spec.stages.map(openStage)), segments = intoSegments(stages, spec.stages);
  const { units, tally: listed } = await listUnits(options.work, spec.sources, options), run = new Run(spec, options, parts);
  mergeTally(run.tally, listed);
  const [first, ...rest] = segments as [Segment, ...Segment[]];
  let done = await run.first(first, units);
  if (options.share === undefined) { for (const segment of rest) done = segment.corpus ? await run.corpus(segment, done) : await run.later(segment, done); }
  return { parts: done, units: units.length, tally: run.tally, drops: run.drops };
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw storageError('make the folder', path, cause);
  }
}

/** The first segment is of documents, though it may be empty; a stage over the corpus stands alone. */
function intoSegments(stages: readonly OpenStage[], specs: readonly StageSpec[]): Segment[] {
  const segments: { stages: OpenStage[]; specs: StageSpec[]; corpus: boolean }[] = [{ stages: [], specs: [], corpus: false }];
  for (const [i, stage] of stages.entries()) {
    const corpus = stage.kind.scope === 'corpus', last = segments.at(-1)!;
    if (!corpus && !last.corpus) {
      last.stages.push(stage);
      last.specs.push(specs[i]!);
    } else segments.push({ stages: [stage], specs: [specs[i]!], corpus });
  }
  return segments;
}

function nameOf({ batch: { units } }: First): string {
  return units.length === 1 ? units[0]!.key : `${units[0]!.key} … ${units.at(-1)!.key}`;
}

class Run {
  readonly tally: Tally = emptyTally();
  readonly drops: string[] = [];
  readonly #spec: PipelineSpec;
  readonly #options: PipelineOptions;
  readonly #dir: string;

  constructor(spec: PipelineSpec, options: PipelineOptions, dir: string) {
    this.#spec = spec;
    this.#options = options;
    this.#dir = dir;
  }

  /** Units to parts. A batch that could not be done is tried again unit by unit, so that one bad unit takes no others along. */
  async first(segment: Segment, units: readonly ListedUnit[]): Promise<Part[]> {
    const { share, work } = this.#options, latest = readLatest(work), made: Record<string, string> = {};
    const wanted = intoBatches(units).filter((_, i) => share === undefined || i % share.of === share.rank).map((batch) => this.#first(batch, segment, latest, made));
    const keys = await this.#make(wanted.map(({ task }) => task), wanted.map(nameOf), wanted.map(({ batch }) => batch.bytes), (i) => wanted[i]!.batch.units.length === 1);
    const parts: Part[] = [];
    for (const { batch, task } of wanted) {
      if (keys.has(task.key)) {
        parts.push({ source: batch.source, view: this.#open(task.key, true) });
        continue;
      }
      const singles = batch.units.length === 1 ? [] : batch.units.map((unit) => this.#first({ source: batch.source, units: [unit], bytes: unit.bytes ?? 0 }, segment, latest, made));
      const done = await this.#make(singles.map((single) => single.task), singles.map(nameOf), singles.map((single) => single.batch.bytes));
      for (const { task: { key } } of singles) if (done.has(key)) parts.push({ source: batch.source, view: this.#open(key, true) });
    }
    if (share === undefined) writeDurable(join(work, 'latest.json'), JSON.stringify(made));
    return parts;
  }

  #first(batch: Batch, { stages, specs }: Segment, latest: Readonly<Record<string, string>>, made: Record<string, string>): First {
    const { sources, seed, strict } = this.#spec, source = sources[batch.source]!, prints = stages.map(({ print }) => print);
    const base = fingerprint(source.kind, source.name, source.options, batch.units, seed), key = fingerprint(base, prints);
    made[base] = key;
    if (latest[base] !== undefined && latest[base] !== key) takeOver(this.#dir, latest[base], key, prints);
    return { batch, task: { kind: 'part', dir: this.#dir, key, from: { source, units: batch.units }, stages: specs, seed, strict } };
  }

  /** Parts to parts, each alone. */
  async later(segment: Segment, parts: readonly Part[]): Promise<Part[]> {
    const { seed, strict } = this.#spec, prints = segment.stages.map(({ print }) => print);
    const keys = parts.map(({ view }) => fingerprint(viewHash(view), prints, seed));
    const made = await this.#make(parts.map(({ view }, i): PartTask => ({ kind: 'part', dir: this.#dir, key: keys[i]!, from: { views: [view] }, stages: segment.specs, seed, strict })), keys, parts.map(() => 0));
    return parts.flatMap(({ source }, i) => (made.has(keys[i]!) ? [{ source, view: this.#open(keys[i]!, false) }] : []));
  }

  async corpus(segment: Segment, parts: readonly Part[]): Promise<Part[]> {
    const [stage] = segment.stages as [OpenStage], [spec] = segment.specs as [StageSpec];
    if (stage.kind.phases === undefined) return this.#whole(segment, parts);
    const { views, tally, drops } = await runCorpusStage(stage, spec, parts.map(({ view }) => view), this.#options.settled ?? [], this.#options);
    mergeTally(this.tally, tally);
    this.drops.push(drops);
    return parts.map(({ source }, i) => ({ source, view: views[i]! }));
  }

  /** All parts as one stream, into one part for each source, so that mixing still knows them apart. */
  async #whole(segment: Segment, parts: readonly Part[]): Promise<Part[]> {
    const { seed, strict } = this.#spec, prints = segment.stages.map(({ print }) => print);
    const key = fingerprint('whole', parts.map(({ view }) => viewHash(view)), prints, seed);
    const made = await this.#make([{ kind: 'part', dir: this.#dir, key, from: { views: parts.map(({ view }) => view) }, stages: segment.specs, seed, strict }], [key], [0]);
    if (!made.has(key)) throw new ConfigError(`Cannot run the stage "${segment.specs[0]!.kind}": ${Object.values(this.tally.skipped).at(-1)?.samples.at(-1)?.detail ?? 'it failed'}.`, { path: 'data.stages' });
    return [{ source: new Set(parts.map(({ source }) => source)).size === 1 ? parts[0]!.source : -1, view: this.#open(key, false) }];
  }

  /** @returns the keys of parts that are there; those that are not are counted as skipped */
  async #make(wanted: readonly PartTask[], names: readonly string[], sizes: readonly number[], isLast: (i: number) => boolean = () => true): Promise<Set<string>> {
    const { processes, signal } = this.#options;
    const missing = wanted.map((task, i) => ({ task, i })).filter(({ task }) => readManifest(this.#dir, task.key) === undefined);
    const total = missing.reduce((sum, { i }) => sum + sizes[i]!, 0), pacer = new Pacer('parts', 'documents', missing.length, this.#options);
    const failures = await runTasks(missing.map(({ task }) => task), { processes, signal, onDone: (done) => pacer.report(done, (total * done) / missing.length) });
    const failed = new Set<string>();
    for (const { index, reason } of failures) {
      const { i, task } = missing[index]!;
      failed.add(task.key);
      if (!isLast(i)) continue;
      if (this.#spec.strict) throw new ConfigError(`Cannot finish "${names[i]!}": ${reason}. What is finished is kept.`, { path: 'data.strict' });
      recordReason(this.tally.skipped, 'worker-failed', { path: names[i]!, bytes: sizes[i]!, detail: reason });
    }
    return new Set(wanted.map(({ key }) => key).filter((key) => !failed.has(key)));
  }

  #open(key: string, isFirst: boolean): View {
    const { documents, sha256, tally } = readManifest(this.#dir, key)!;
    // Later segments read what earlier ones wrote: that is no new input.
    mergeTally(this.tally, isFirst ? { ...tally, after: emptyTally().after } : { ...tally, before: emptyTally().before, after: emptyTally().after });
    this.drops.push(partPaths(this.#dir, key).drops);
    return { dir: this.#dir, key, documents, sha256, decisions: [] };
  }
}

function readLatest(work: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(work, 'latest.json'), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** A part of an earlier build is that of this one if only stages are gone that did nothing to it. */
function takeOver(dir: string, old: string, key: string, prints: readonly string[]): void {
  const manifest = readManifest(dir, old), from = partPaths(dir, old), to = partPaths(dir, key);
  if (manifest === undefined || existsSync(to.manifest)) return;
  let wanted = 0;
  for (const [print, effects] of manifest.effects) {
    if (print === prints[wanted]) wanted++;
    else if (effects > 0) return;
  }
  if (wanted < prints.length) return;
  for (const name of ['data', 'offsets', 'drops'] as const) {
    rmSync(to[name], { force: true });
    linkSync(from[name], to[name]);
  }
  writeDurable(to.manifest, JSON.stringify({ ...manifest, effects: manifest.effects.filter(([print]) => prints.includes(print)) }));
}

/** Removes parts, indexes and decisions that a finished build does not use. */
export function sweep(work: string, result: PipelineResult): void {
  const kept = new Set([...Object.values(readLatest(work)), ...result.parts.map(({ view }) => view.key)]);
  const folder = join(work, 'parts');
  for (const name of readdirSync(folder)) if (!kept.has(name.slice(0, name.indexOf('.')))) rmSync(join(folder, name), { force: true });
}
