// node build/bench/main.js NAME… [--json] [--case WORDS] [--threads N]: benches without the rest of the command line.

import { parseArgs } from 'node:util';
import { BENCHES, formatTable, type BenchLine } from './index.ts';

async function main(): Promise<number> {
  const { values: flags, positionals: names } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, case: { type: 'string' }, threads: { type: 'string', default: '2' } },
  });
  const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
  if (names.length === 0 || unknown !== undefined) {
    console.error(`${unknown === undefined ? 'Which bench?' : `There is no bench "${unknown}".`} There are:`);
    for (const [name, { about }] of Object.entries(BENCHES)) console.error(`  ${name.padEnd(10)} ${about}`);
    return 2;
  }
  const lines: BenchLine[] = [], threads = Number(flags.threads);
  const report = (line: BenchLine): void => {
    lines.push(line);
    if (flags.json) console.log(JSON.stringify(line));
  };
  for (const name of names) await BENCHES[name]!.run({ report, note: (text) => console.error(text), only: flags.case, threads });
  if (!flags.json) console.log(formatTable(lines));
  return 0;
}

process.exitCode = await main();
