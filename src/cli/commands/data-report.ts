// athanor data report. Layer: cli.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurable } from '../../base/durable.ts';
import { byteSize, compact } from '../../base/progress.ts';
import { readDataJson, reportPage, type PipelineReport, type ShardManifest } from '../../data/index.ts';
import type { Command } from '../command.ts';

export const dataReport: Command = {
  name: 'data report',
  about: [
    'Says what went into a corpus and what came out: documents, bytes, tokens, languages, domains, lengths, copies, and what',
    'each rule dropped or changed, with samples. Writes one page with plots (DIR/report.html, or --out), in English and',
    'Chinese, that needs nothing else; --json prints the same numbers.',
  ].join('\n'),
  arguments: [{ name: 'DIR', about: 'a folder that `athanor data build` made from data.sources' }],
  options: { out: { kind: 'text', value: 'FILE', about: 'where the page goes (default: DIR/report.html)' } },
  examples: ['athanor data report data/notes', 'athanor data report data/notes --json'],
  run: async (args, io) => {
    const [dir] = args.words as [string], report = readDataJson<PipelineReport>(dir, 'corpus/report.json'), out = args.text('out') ?? join(dir, 'report.html');
    const tokensOf = (side: string): number => (existsSync(join(dir, side, 'shards.json')) ? readDataJson<ShardManifest>(dir, `${side}/shards.json`).tokens : 0);
    const tokens = { train: tokensOf('train'), validation: tokensOf('validation') }, { before, after } = report;
    writeDurable(out, reportPage(report, { tokens }));
    io.result({ out, tokens, ...report }, `${compact(after.documents)} of ${compact(before.documents)} documents kept, ${byteSize(after.bytes)} of ${byteSize(before.bytes)}, ${compact(tokens.train)} tokens to train on. The report is in ${out}.`);
  },
};
