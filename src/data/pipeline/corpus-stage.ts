// A stage over the whole corpus: an index of every part by any process, then decisions by one. Layer: data (file access).

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { utf8Bytes } from '../document.ts';
import type { Decision, IndexedPart } from '../stage.ts';
import { Pacer, type WorkOptions } from '../work.ts';
import { GzipLines } from './drops-file.ts';
import { runTasks } from './pool.ts';
import { fingerprint, type StageSpec } from './spec.ts';
import type { OpenStage } from './stages.ts';
import { emptyTally, recordReason, type Tally } from './tally.ts';
import { ruleName, viewHash, ViewReader, type View } from './view.ts';
import type { Task } from './tasks.ts';

/** What all stages of a build share. */
export type BuildContext = WorkOptions & { readonly work: string; readonly seed: number; readonly memory: number; readonly processes: number };

/** Parts after a stage, and what it did. */
export type StageResult = { readonly views: View[]; readonly tally: Tally; readonly drops: string };

/** Decides once; the same parts and options find their decisions again. */
export async function runCorpusStage(stage: OpenStage, spec: StageSpec, views: readonly View[], settled: readonly View[], context: BuildContext): Promise<StageResult> {
  const all = [...settled, ...views], hashes = all.map(viewHash), key = fingerprint(stage.print, context.seed, hashes.slice(0, settled.length), hashes);
  const folder = join(context.work, 'decisions'), files = hashes.map((hash) => join(context.work, 'index', `${fingerprint(stage.print, context.seed, hash)}.index`));
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(context.work, 'index'), { recursive: true });
  const at = (view: number): string => join(folder, `${key}-${view}.jsonl`), done = join(folder, `${key}.json`), drops = join(folder, `${key}.drops.gz`);
  if (!existsSync(done)) {
    await makeIndexes(spec, all, files, context);
    const scratch = join(context.work, `scratch-${process.pid}`);
    mkdirSync(scratch, { recursive: true });
    const ledger = new Ledger(stage.kind.name, all, settled.length, drops);
    try {
      const pacer = new Pacer('decide', 'documents', undefined, context);
      await stage.kind.phases!.decide(stage.options, all.map((view, i) => ledger.part(view, files[i]!, i)), {
        seed: context.seed,
        memory: context.memory,
        signal: context.signal,
        scratch,
        settle: (part, decision) => ledger.settle(part, decision),
        step: (n) => pacer.step(n, 0),
      });
      const written = ledger.close((part, lines) => writeDurable(at(part - settled.length), lines, false));
      writeDurable(done, JSON.stringify(written));
    } finally {
      ledger.release();
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  const { tally, touched } = readDone(done);
  const isTouched = new Set(touched);
  return { views: views.map((view, i) => (isTouched.has(i) ? { ...view, decisions: [...view.decisions, { file: at(i), stage: stage.kind.name }] } : view)), tally, drops };
}

function readDone(path: string): { tally: Tally; touched: number[] } {
  return JSON.parse(readFileSync(path, 'utf8')) as { tally: Tally; touched: number[] };
}

async function makeIndexes(stage: StageSpec, views: readonly View[], files: readonly string[], context: BuildContext): Promise<void> {
  const share = Math.floor(context.memory / context.processes), seen = new Set<string>();
  const tasks = views.map((view, i): Task => ({ kind: 'index', file: files[i]!, view, stage, seed: context.seed, memory: share }))
    .filter(({ file }: Task & { kind?: string; file?: string }) => !existsSync(file!) && !seen.has(file!) && seen.add(file!));
  const pacer = new Pacer('index', 'files', tasks.length, context);
  const failures = await runTasks(tasks, { processes: context.processes, signal: context.signal, onDone: (done) => pacer.report(done, 0) });
  // Without the index of a part its copies would stay unnoticed: that is no corpus to go on with.
  if (failures.length > 0) throw new ConfigError(`Cannot compare the documents of ${failures.length} parts by "${stage.kind}": ${failures[0]!.reason}. What is finished is kept: free memory and build again.`, { path: 'data.stages' });
}

/** Collects decisions, with what they do in bytes and by name. */
class Ledger {
  readonly #stage: string;
  readonly #views: readonly View[];
  readonly #settled: number;
  readonly #readers = new Map<number, ViewReader>();
  readonly #lines = new Map<number, string[]>();
  readonly #tally = emptyTally();
  readonly #drops: GzipLines;
  #closed = false;

  constructor(stage: string, views: readonly View[], settled: number, drops: string) {
    this.#stage = stage;
    this.#views = views;
    this.#settled = settled;
    this.#drops = new GzipLines(drops);
  }

  part(view: View, file: string, index: number): IndexedPart {
    return { file, settled: index < this.#settled, documents: view.documents, document: (n) => this.#reader(index).document(n) };
  }

  settle(part: number, decision: Decision): void {
    if (part < this.#settled) throw new ConfigError(`Cannot change a finished corpus: the stage "${this.#stage}" decided about document ${decision.n} of it.`);
    const reader = this.#reader(part), { n, reason, detail, cut } = decision, rule = ruleName(this.#stage, reason);
    if (cut === undefined) {
      const { id, bytes, origin, licence, steps } = reader.head(n);
      recordReason(this.#tally.drops, rule, { path: id, bytes, detail });
      this.#drops.add({ id, rule, detail, bytes, origin, licence, ...(steps === undefined ? {} : { steps }) });
    } else {
      const { id, text } = reader.document(n);
      recordReason(this.#tally.changes, rule, { path: id, bytes: cut.reduce((sum, [from, to]) => sum + utf8Bytes(text.slice(from, to)), 0), detail });
    }
    const lines = this.#lines.get(part);
    if (lines === undefined) this.#lines.set(part, [JSON.stringify(decision)]);
    else lines.push(JSON.stringify(decision));
  }

  close(write: (part: number, lines: string) => void): { tally: Tally; touched: number[] } {
    for (const [part, lines] of this.#lines) write(part, `${lines.join('\n')}\n`);
    this.#drops.close();
    this.#closed = true;
    return { tally: this.#tally, touched: [...this.#lines.keys()].map((part) => part - this.#settled) };
  }

  release(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
    if (!this.#closed) this.#drops.discard();
  }

  /** A few parts stay open: decisions come in their order, comparisons from anywhere. */
  #reader(part: number): ViewReader {
    let reader = this.#readers.get(part);
    if (reader !== undefined) return reader;
    if (this.#readers.size >= 64) {
      const [oldest, other] = this.#readers.entries().next().value!;
      other.close();
      this.#readers.delete(oldest);
    }
    this.#readers.set(part, reader = new ViewReader(this.#views[part]!));
    return reader;
  }
}
