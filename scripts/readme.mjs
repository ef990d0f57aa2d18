// Puts real output into both READMEs: `node scripts/readme.mjs` runs the quickstart (four minutes) and copies the table
// of results. Nothing in a README's transcript or table is written by hand.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const READMES = ['README.md', 'README.zh-CN.md'];

/** Replaces what stands between a marker and its end. */
function fill(text, kind, name, content) {
  const begin = `<!-- ${kind}: ${name} -->`, end = `<!-- /${kind} -->`;
  const from = text.indexOf(begin), to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`no marker ${begin}`);
  return `${text.slice(0, from + begin.length)}\n${content.trim()}\n${text.slice(to)}`;
}

/** The section of RESULTS.md under a heading, without the heading. */
function results(name) {
  if (!existsSync('bench/RESULTS.md')) return '';
  const section = readFileSync('bench/RESULTS.md', 'utf8').split(/^## /m).find((part) => part.startsWith(name));
  return section === undefined ? '' : section.slice(section.indexOf('\n')).trim();
}

const only = process.argv[2];
const run = only === 'results' ? undefined : spawnSync('npm', ['run', '--silent', 'quickstart'], { encoding: 'utf8', maxBuffer: 1 << 26 });
if (run !== undefined && run.status !== 0) throw new Error(`the quickstart failed:\n${run.stderr}`);
for (const file of READMES) {
  let text = readFileSync(file, 'utf8');
  if (run !== undefined) text = fill(text, 'transcript', 'quickstart', `\`\`\`\n$ npm run quickstart\n${run.stdout.trim()}\n\`\`\``);
  for (const name of ['train', 'decode']) text = fill(text, 'results', name, results(name));
  writeFileSync(file, text);
}
