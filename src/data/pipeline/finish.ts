// Finished parts to a corpus: mixed, split, written, with a trace of every document. Layer: data (file access).
//   DIR/train.jsonl, validation.jsonl, corpus.json   as any corpus (corpus.ts)
//   DIR/trace-train.jsonl.gz, trace-validation…      line k: where document k is from, its licence, hash and steps
//   DIR/dropped.jsonl.gz                             every document that was left out: rule, what was seen, bytes
//   DIR/report.json                                  the account of all stages (tally.ts)
// The split is by hash of a name alone, so that it takes no memory and a document keeps its side when the corpus grows.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DurableFile, makeFolder, writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { Corpus, CORPUS_VERSION, type CorpusManifest, type Side } from '../corpus.ts';
import { copiesOf, hashShare, mixEpochs } from '../mix/epochs.ts';
import { emptyReport, type CorpusReport, type Drop } from '../report.ts';
import { KEYS, LEVELS, type SplitLevel } from '../split.ts';
import { Pacer, type WorkOptions } from '../work.ts';
import { GzipLines, type DroppedDocument } from './drops-file.ts';
import type { PipelineResult } from './run.ts';
import type { PipelineSpec } from './spec.ts';
import { forgetTest } from './forget.ts';
import { countDocument, emptyStatistics, recordReason, type Statistics } from './tally.ts';
import { readRaw, type RawDocument } from './view.ts';

type Level = Exclude<SplitLevel, 'auto'>;

/** What `report.json` holds. */
export type PipelineReport = {
  readonly sources: readonly { readonly name: string; readonly kind: string; readonly bytes: number; readonly epochs: number }[];
  readonly stages: readonly string[];
  readonly units: number;
  readonly before: Statistics;
  readonly after: Statistics;
  readonly skipped: Readonly<Record<string, Drop>>;
  readonly drops: Readonly<Record<string, Drop>>;
  readonly changes: Readonly<Record<string, Drop>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly split: CorpusReport['split'];
};

/** Writes the corpus. @throws {ConfigError} if nothing is left */
export async function finishCorpus(spec: PipelineSpec, result: PipelineResult, dir: string, options: WorkOptions): Promise<Corpus> {
  makeFolder(dir);
  const survey = await surveyParts(spec, result, options);
  for (const { head, pattern } of survey.forgotten) {
    recordReason(result.tally.drops, 'forget', { path: head.id, bytes: head.bytes, detail: `asked for by ${pattern}` });
  }
  if (survey.after.documents === 0) throw nothingLeft(spec, result);
  const epochs = mixEpochs(spec.sources.map(({ weight, epochs }, i) => ({ bytes: survey.sourceBytes[i]!, weight, epochs })), spec.mix);
  const writers = { train: new SideWriter(dir, 'train'), validation: new SideWriter(dir, 'validation') }, pacer = new Pacer('write', 'bytes', survey.after.bytes, options);
  const forgets = forgetTest(spec.forget);
  let bytes = 0;
  try {
    for (const { source, view } of result.parts) {
      for (const document of readRaw(view)) {
        if (forgets(document.head) !== undefined) continue;
        const { head } = document, side: Side = survey.isValidation(head) ? 'validation' : 'train';
        const copies = side === 'validation' || source < 0 ? 1 : copiesOf(epochs[source]!, spec.seed, head.id);
        for (let copy = 0; copy < copies; copy++) writers[side].add(document);
        bytes += head.bytes;
        await pacer.step(bytes, bytes);
      }
    }
    if (writers.train.documents === 0) throw new ConfigError(`Cannot finish the corpus: the mix leaves nothing to train on (epochs ${epochs.map((value) => value.toPrecision(2)).join(', ')}). Raise mix.bytes or the weights.`, { path: 'data.mix' });
    writeDurable(join(dir, 'dropped.jsonl.gz'), [...result.drops.map((path) => readFileSync(path)), forgottenLines(survey.forgotten)]);
    const report = corpusReport(result, survey.after), files = {} as CorpusManifest['files'];
    for (const side of ['train', 'validation'] as const) {
      files[side] = writers[side].close();
      report.split[side] = writers[side].counts();
    }
    const own: PipelineReport = {
      sources: spec.sources.map(({ name, kind }, i) => ({ name, kind, bytes: survey.sourceBytes[i]!, epochs: epochs[i]! })),
      stages: spec.stages.map(({ kind }) => kind),
      units: result.units,
      before: result.tally.before,
      after: survey.after,
      skipped: result.tally.skipped,
      drops: result.tally.drops,
      changes: result.tally.changes,
      counts: result.tally.counts,
      split: report.split,
    };
    writeDurable(join(dir, 'report.json'), `${JSON.stringify(own, null, 2)}\n`);
    return Corpus.create(dir, { version: CORPUS_VERSION, sources: spec.sources.map(({ name }) => name), seed: spec.seed, splitLevel: survey.level, files, report });
  } catch (error) {
    for (const writer of Object.values(writers)) writer.discard();
    throw error;
  }
}

/** Who was forgotten on request is named, without anything of the text. */
function forgottenLines(forgotten: Survey['forgotten']): Uint8Array {
  if (forgotten.length === 0) return new Uint8Array(0);
  const dropped = forgotten.map(({ head: { id, bytes, origin, licence }, pattern }): DroppedDocument => ({ id, rule: 'forget', detail: `asked for by ${pattern}`, bytes, origin, licence }));
  return gzipSync(dropped.map((document) => `${JSON.stringify(document)}\n`).join(''));
}

type Survey = { forgotten: { head: RawDocument['head']; pattern: string }[]; after: Statistics; sourceBytes: number[]; level: Level; isValidation(head: RawDocument['head']): boolean };

/** One pass over the heads: what there is, and at which level the split gives validation its share. */
async function surveyParts(spec: PipelineSpec, result: PipelineResult, options: WorkOptions): Promise<Survey> {
  const { validationFraction: fraction, seed, split } = spec, after = emptyStatistics(), sourceBytes = spec.sources.map(() => 0), held = new Map<Level, number>(LEVELS.map((level) => [level, 0]));
  if (split === 'tail') throw new ConfigError('Cannot split the tail off: a pipeline of sources splits by package, folder, file or document. Set data.split.', { path: 'data.split' });
  const levels = split === 'auto' ? LEVELS : [split as Level], shares = new Shares(seed), pacer = new Pacer('write', 'documents', undefined, options);
  const forgotten: Survey['forgotten'] = [], forgets = forgetTest(spec.forget);
  let least: { share: number; id: string } | undefined;
  for (const { source, view } of result.parts) {
    for (const { head, language } of readRaw(view)) {
      const pattern = forgets(head);
      if (pattern !== undefined) {
        forgotten.push({ head, pattern });
        continue;
      }
      countDocument(after, head, language);
      if (source >= 0) sourceBytes[source]! += head.bytes;
      for (const level of levels) if (shares.of(level, head) < fraction) held.set(level, held.get(level)! + head.bytes);
      const share = shares.of('document', head);
      if (least === undefined || share < least.share) least = { share, id: head.id };
      await pacer.step(after.documents, after.bytes);
    }
  }
  const target = fraction * after.bytes, fits = (level: Level): boolean => held.get(level)! >= target / 2 && held.get(level)! <= target * 1.5;
  const level = levels.find(fits) ?? levels.at(-1)!;
  // So few documents that chance holds none out: the one of the least hash is.
  const single = fraction > 0 && held.get(level) === 0 && after.documents > 1 ? least!.id : undefined;
  return { forgotten, after, sourceBytes, level, isValidation: (head) => (single === undefined ? shares.of(level, head) < fraction : head.id === single) };
}

/** Shares by name; the last of each level is remembered, since neighbours share folders. */
class Shares {
  readonly #seed: number;
  readonly #last = new Map<Level, { key: string; share: number }>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  of(level: Level, head: RawDocument['head']): number {
    const key = KEYS[level](head), last = this.#last.get(level);
    if (last?.key === key) return last.share;
    const share = hashShare(this.#seed, key);
    this.#last.set(level, { key, share });
    return share;
  }
}

const NEWLINE = Buffer.from('}\n');

class SideWriter {
  documents = 0;
  readonly #side: Side;
  readonly #file: DurableFile;
  readonly #trace: GzipLines;
  readonly #sha = createHash('sha256');
  readonly #groups = new Set<string>();
  #bytes = 0;
  #fileBytes = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(dir: string, side: Side) {
    this.#side = side;
    this.#file = new DurableFile(join(dir, `${side}.jsonl`));
    this.#trace = new GzipLines(join(dir, `trace-${side}.jsonl.gz`));
  }

  /** The line that documentLine() would make, without parsing the text. */
  add({ head, hash, steps, json }: RawDocument): void {
    const { id, path, group, bytes, origin, licence, meta } = head, begin = JSON.stringify({ id, path, group });
    const start = Buffer.from(`${begin.slice(0, -1)},"text":`);
    for (const part of [start, Buffer.from(json), NEWLINE]) {
      this.#pending.push(part);
      this.#pendingBytes += part.length;
    }
    if (this.#pendingBytes >= 2 ** 20) this.#flush();
    this.documents++;
    this.#bytes += bytes;
    this.#groups.add(group);
    this.#trace.add({ id, origin, licence, hash, meta, ...(steps.length === 0 ? {} : { steps }) });
  }

  counts(): CorpusReport['split'][Side] {
    return { documents: this.documents, bytes: this.#bytes, groups: this.#groups.size };
  }

  close(): CorpusManifest['files'][Side] {
    this.#flush();
    this.#file.commit();
    this.#trace.close();
    return { file: `${this.#side}.jsonl`, documents: this.documents, bytes: this.#bytes, fileBytes: this.#fileBytes, sha256: this.#sha.digest('hex') };
  }

  discard(): void {
    this.#file.discard();
    this.#trace.discard();
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending);
    this.#sha.update(bytes);
    this.#file.write(bytes);
    this.#fileBytes += bytes.length;
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}

function corpusReport({ tally, units }: PipelineResult, after: Statistics): CorpusReport {
  const report = emptyReport(), skipped = Object.values(tally.skipped).reduce((sum, { count }) => sum + count, 0);
  report.files = { found: units, read: Math.max(0, units - skipped), bytes: tally.before.bytes, empty: 0, skipped: tally.skipped };
  report.documents = { read: tally.before.documents, bytes: tally.before.bytes, kept: after.documents, keptBytes: after.bytes, dropped: tally.drops };
  for (const [name, count] of Object.entries(tally.counts)) if (name.startsWith('encoding.')) report.encodings[name.slice('encoding.'.length)] = count;
  return report;
}

function nothingLeft({ sources }: PipelineSpec, { tally, units }: PipelineResult): ConfigError {
  const parts = [...Object.entries(tally.skipped), ...Object.entries(tally.drops)].map(([reason, { count }]) => `${count} by ${reason}`);
  return new ConfigError(`Cannot build a corpus from ${sources.map(({ name }) => `"${name}"`).join(', ')}: no text is left of ${units} units and ${tally.before.documents} documents (left out: ${parts.join(', ') || 'none'}). Loosen the stages, or give other sources.`, { path: 'data.stages' });
}
