// Fuzzes the readers of one format, or of all, for minutes: npm run fuzz -- [FORMAT] [--minutes N] [--seed N].
// A case that fails is kept in a file that is named, with the seed that makes it again.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './project.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string', default: String(Date.now() % 1_000_000_000) } } });
for (const [name, value] of Object.entries(values)) {
  if (!(Number(value) > 0)) {
    console.error(`Cannot use --${name} "${value}": it must be a number above 0.`);
    process.exit(2);
  }
}
const env = { ...process.env, ATHANOR_FUZZ_MINUTES: values.minutes, ATHANOR_FUZZ_SEED: values.seed, ...(positionals[0] === undefined ? {} : { ATHANOR_FUZZ: positionals[0] }) };
const { status } = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', 'tests/fuzz'], { cwd: ROOT, env, stdio: 'inherit' });
process.exitCode = status ?? 1;
