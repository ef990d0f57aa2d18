// athanor data report. Layer: cli.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { byteSize, compact } from '../../base/progress.ts';
import { fairnessSection, FairnessCounter, readDataJson, reportPage, type FairnessReport, type PipelineReport, type ShardManifest } from '../../data/index.ts';
import { InterruptedError } from '../../base/errors.ts';
import type { Command, Io } from '../command.ts';
import { openCorpus } from '../prepare-data.ts';

export const dataReport: Command = {
  name: 'data report',
  about: [
    'Says what went into a corpus and what came out: documents, bytes, tokens, languages, domains, lengths, copies, and what',
    'each rule dropped or changed, with samples; then, from the text itself, which groups of people it names and what stands',
    'beside them. Writes one page with plots (DIR/report.html, or --out), in English and Chinese, that needs nothing else;',
    '--json prints the same numbers.',
  ].join('\n'),
  arguments: [{ name: 'DIR', about: 'a folder that `athanor data build` made from data.sources' }],
  options: { out: { kind: 'text', value: 'FILE', about: 'where the page goes (default: DIR/report.html)' } },
  examples: ['athanor data report data/notes', 'athanor data report data/notes --json'],
  run: async (args, io) => {
    const [dir] = args.words as [string], report = readDataJson<PipelineReport>(dir, 'corpus/report.json'), out = args.text('out') ?? join(dir, 'report.html');
    const tokensOf = (side: string): number => (existsSync(join(dir, side, 'shards.json')) ? readDataJson<ShardManifest>(dir, `${side}/shards.json`).tokens : 0);
    const tokens = { train: tokensOf('train'), validation: tokensOf('validation') }, { before, after } = report;
    const fairness = await countGroups(dir, after.bytes, io);
    writeDurable(out, reportPage(report, { tokens, sections: [fairnessSection(fairness)] }));
    io.result({ out, tokens, ...report, fairness }, `${compact(after.documents)} of ${compact(before.documents)} documents kept, ${byteSize(after.bytes)} of ${byteSize(before.bytes)}, ${compact(tokens.train)} tokens to train on. The report is in ${out}.`);
  },
};

/** Reads the whole corpus, as it came out. @throws {InterruptedError} on the signal */
async function countGroups(dir: string, total: number, io: Io): Promise<FairnessReport> {
  const counter = new FairnessCounter(), corpus = openCorpus(dir);
  let done = 0, documents = 0;
  for (const side of ['train', 'validation'] as const) {
    for (const text of corpus.texts(side)) {
      counter.add(text);
      done += Buffer.byteLength(text);
      io.progress.update(() => `Counting groups: ${byteSize(done)} of ${byteSize(total)}`);
      if (++documents % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (io.signal.aborted) throw new InterruptedError('The report was stopped: nothing was written.');
    }
  }
  return counter.report();
}
