// node build/bench/results.js < LINES > bench/RESULTS.md: the table of results out of what benches printed with --json.
// The machine and the commit are those of this run: write it where and when the lines were measured.
// npm run --silent bench -- train --json | tee -a lines.jsonl; node build/bench/results.js < lines.jsonl > bench/RESULTS.md

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { shortNumber, type BenchLine } from './bench-line.ts';
import { checkout } from './places.ts';

/** Where and of what lines were measured. */
export interface Origin {
  readonly machine: string;
  readonly commit: string;
  readonly date: string;
}

/**
 * Results as Markdown, a table a bench; of lines for the same case and peer the last one counts.
 *
 * @param lines in the order in which they were measured
 */
export function formatResults(lines: readonly BenchLine[], { machine, commit, date }: Origin): string {
  const last = new Map(lines.map((line) => [`${line.bench}\n${line.case}\n${line.peer}`, line]));
  const benches = [...new Set(lines.map(({ bench }) => bench))];
  const tables = benches.map((bench) => {
    const rows = [...last.values()].filter((line) => line.bench === bench).map((l) => `| ${l.case} | ${shortNumber(l.value)} | ${l.unit} | ${shortNumber(l.limit)} | ${l.peer ?? '–'} | ${shortNumber(l.peerValue)} | ${l.ratio === null ? '–' : l.ratio.toFixed(2)} |`);
    return [`## ${bench}`, '', `\`npm run bench -- ${bench}\``, '', "| case | ours | unit | limit | peer | peer's | ratio |", '|---|---:|---|---:|---|---:|---:|', ...rows, ''].join('\n');
  });
  return [
    '# Results',
    '',
    `Measured on ${machine}, at commit ${commit}, ${date}. Medians of turns that alternate between ours and the peers in one run.`,
    "`ratio` is how many times better ours is; `limit` is the machine's bound in the same unit (for memory: what the plan says that",
    'the core allocates). A dash for a peer means that it was not installed or did not run. Written by bench/results.ts.',
    '',
    ...tables,
  ].join('\n');
}

/** Reads JSON lines, leaving out what is none (npm's own words). */
export function parseLines(text: string): BenchLine[] {
  return text.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as BenchLine);
}

function originHere(): Origin {
  const git = (...words: string[]): string => spawnSync('git', words, { cwd: checkout(), encoding: 'utf8' }).stdout.trim();
  const [cpu] = cpus(), commit = git('rev-parse', '--short', 'HEAD') || 'unknown';
  return {
    machine: `${cpu?.model.trim() ?? 'an unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`,
    commit: git('status', '--porcelain', '--', 'src', 'native') === '' ? commit : `${commit} with changes`,
    date: new Date().toISOString().slice(0, 10),
  };
}

if (process.argv[1]?.endsWith('results.js')) process.stdout.write(formatResults(parseLines(readFileSync(0, 'utf8')), originHere()));
