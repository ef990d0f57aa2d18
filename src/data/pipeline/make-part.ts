// One part: documents of a unit, or of an earlier part, through a row of stages into a file. Layer: data (file access).
// This is what a worker does. Whatever happened to each document is counted, and recorded by rule.

import { rmSync } from 'node:fs';
import { identifyLanguage } from '../clean/language.ts';
import type { Document, Documents } from '../document.ts';
import { FormatError } from '../../base/errors.ts';
import { throwIfAborted } from '../work.ts';
import type { SourceContext, Unit } from '../source-kind.ts';
import type { Stage, StageContext } from '../stage.ts';
import { GzipLines } from './drops-file.ts';
import { partPaths, PartWriter, type PartManifest, type Step } from './part-file.ts';
import type { OpenSource } from './sources.ts';
import type { OpenStage } from './stages.ts';
import { countDocument, countName, emptyTally, recordReason, type Tally } from './tally.ts';
import { readView, ruleName, type View } from './view.ts';

/** What a part is made from: units of a source, or parts with decisions over them. */
export type PartInput = { readonly source: OpenSource; readonly name: string; readonly units: readonly Unit[] } | { readonly views: readonly View[] };

/** Where it goes, and how. */
export type PartOptions = { readonly dir: string; readonly key: string; readonly seed: number; readonly strict: boolean; readonly signal?: AbortSignal | undefined };

/** Makes a part. @throws whatever a stage throws; nothing of the part is then there */
export async function makePart(input: PartInput, stages: readonly OpenStage[], options: PartOptions): Promise<PartManifest> {
  const { dir, key } = options, paths = partPaths(dir, key);
  rmSync(paths.manifest, { force: true });
  const writer = new PartWriter(dir, key), drops = new GzipLines(paths.drops);
  try {
    const work = new PartWork(drops, options);
    for await (const document of await work.stream(input, stages)) {
      work.keep(document, writer);
    }
    drops.close(false);
    return writer.close(work.finish(stages));
  } catch (error) {
    writer.discard();
    drops.discard();
    throw error;
  }
}

class PartWork {
  readonly tally: Tally = emptyTally();
  readonly #steps = new Map<string, Step[]>();
  readonly #languages = new Map<string, string>();
  readonly #effects: number[] = [];
  readonly #flows: { into: number; out: number; dropped: number; intoBytes: number; outBytes: number; droppedBytes: number }[] = [];
  readonly #drops: GzipLines;
  readonly #options: PartOptions;

  constructor(drops: GzipLines, options: PartOptions) {
    this.#drops = drops;
    this.#options = options;
  }

  async stream(input: PartInput, stages: readonly OpenStage[]): Promise<AsyncIterable<Document>> {
    let stream: AsyncIterable<Document> = 'views' in input ? this.#again(input.views) : this.#first(input.source, input.name, input.units);
    for (const [i, stage] of stages.entries()) {
      this.#effects.push(0);
      this.#flows.push({ into: 0, out: 0, dropped: 0, intoBytes: 0, outBytes: 0, droppedBytes: 0 });
      const run: Stage = await stage.kind.start(stage.options, this.#context(i, stage.kind.name));
      stream = this.#watch(i, stream, run);
    }
    return stream;
  }

  keep(document: Document, writer: PartWriter): void {
    const steps = this.#steps.get(document.id);
    if (steps !== undefined) this.#steps.delete(document.id);
    const language = this.#languages.get(document.id);
    this.#languages.delete(document.id);
    if (document.text === '') return this.#record(document, 'empty', 'no text is left', steps);
    countDocument(this.tally.after, document, language);
    writer.add(document, steps, language);
  }

  finish(stages: readonly OpenStage[]): Pick<PartManifest, 'tally' | 'effects'> {
    for (const [i, { kind }] of stages.entries()) {
      // Documents that a stage of the user's left out without a word: nothing may go unexplained.
      const flow = this.#flows[i]!, silent = flow.into - flow.dropped - flow.out;
      if (silent > 0) {
        const bytes = Math.max(0, flow.intoBytes - flow.droppedBytes - flow.outBytes);
        recordReason(this.tally.drops, ruleName(kind.name, 'no-reason-given'), { path: '', bytes, detail: `${silent} documents were not passed on` });
        this.tally.drops[ruleName(kind.name, 'no-reason-given')]!.count += silent - 1;
        this.#effects[i]! += silent;
      }
    }
    return { tally: this.tally, effects: stages.map(({ print }, i) => [print, this.#effects[i]!]) };
  }

  async *#first(source: OpenSource, name: string, units: readonly Unit[]): AsyncGenerator<Document> {
    const context: SourceContext = {
      name,
      signal: this.#options.signal,
      skip: ({ file, record, bytes = 0 }, reason, detail) => {
        if (this.#options.strict) throw new FormatError(`Cannot read "${file}"${record === undefined ? '' : `, record ${record}`}: ${reason}${detail === '' ? '' : ` (${detail})`}. Repair it, or build without data.strict.`, { path: file });
        recordReason(this.tally.skipped, reason, { path: record === undefined ? file : `${file}:${record}`, bytes, detail });
      },
      count: (what, by = 1) => countName(this.tally, what, by),
    };
    for (const unit of units) {
      for await (const document of source.kind.read(unit, source.options, context)) {
        throwIfAborted(this.#options.signal, 'read');
        if (document.text.trim() === '') {
          context.skip({ file: document.id, bytes: document.bytes }, 'empty', '');
          continue;
        }
        this.#count(document);
        yield document;
      }
    }
  }

  #count(document: Document): void {
    const language = document.meta?.['language'] === undefined ? identifyLanguage(document.text).language : undefined;
    if (language !== undefined) this.#languages.set(document.id, language);
    countDocument(this.tally.before, document, language);
  }

  async *#again(views: readonly View[]): AsyncGenerator<Document> {
    for (const view of views) {
      for (const { document, steps } of readView(view)) {
        throwIfAborted(this.#options.signal, 'read');
        if (steps.length > 0) this.#steps.set(document.id, [...steps]);
        this.#count(document);
        yield document;
      }
    }
  }

  /** A stage between two counters. A document that comes out as another object than went in was changed. */
  async *#watch(i: number, documents: Documents, stage: Stage): AsyncGenerator<Document> {
    const seen = new WeakSet<Document>(), flow = this.#flows[i]!;
    const counted = async function*(): AsyncGenerator<Document> {
      for await (const document of documents) {
        flow.into++;
        flow.intoBytes += document.bytes;
        seen.add(document);
        yield document;
      }
    };
    for await (const document of stage(counted())) {
      flow.out++;
      flow.outBytes += document.bytes;
      if (!seen.has(document)) this.#effects[i]!++;
      yield document;
    }
  }

  #record({ id, bytes, origin, licence }: Document, rule: string, detail: string, steps: readonly Step[] | undefined): void {
    recordReason(this.tally.drops, rule, { path: id, bytes, detail });
    this.#drops.add({ id, rule, detail, bytes, origin, licence, ...(steps === undefined ? {} : { steps }) });
  }

  #context(i: number, stage: string): StageContext {
    const { seed, signal } = this.#options;
    return {
      seed,
      signal,
      drop: (document, reason, detail) => {
        const steps = this.#steps.get(document.id), flow = this.#flows[i]!;
        this.#effects[i]!++;
        flow.dropped++;
        flow.droppedBytes += document.bytes;
        this.#steps.delete(document.id);
        this.#languages.delete(document.id);
        this.#record(document, ruleName(stage, reason), detail, steps);
      },
      change: (document, reason, detail, removedBytes) => {
        const rule = ruleName(stage, reason), steps = this.#steps.get(document.id);
        this.#effects[i]!++;
        recordReason(this.tally.changes, rule, { path: document.id, bytes: removedBytes, detail });
        if (steps === undefined) this.#steps.set(document.id, [[rule, detail]]);
        else steps.push([rule, detail]);
      },
      count: (name, by = 1) => {
        this.#effects[i]!++;
        countName(this.tally, name, by);
      },
    };
  }
}
