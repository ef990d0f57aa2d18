// Runs the tests with vitest and ends with `N passed, N failed, N skipped` alone on a line. Arguments go to vitest:
// npm test -- tests/core -t attention

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './project.mjs';

const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');

/** Numbers from vitest's JSON report. A file that does not even load has no tests and counts as one that failed. */
function count(report) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = report;
  const unloaded = testResults.filter((file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed')).length;
  return { passed: numPassedTests, failed: numFailedTests + unloaded, skipped: numPendingTests + numTodoTests };
}

const folder = mkdtempSync(join(tmpdir(), 'athanor-test-'));
const file = join(folder, 'report.json');
try {
  const args = [VITEST, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...process.argv.slice(2)];
  const { status, signal } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  const { passed, failed, skipped } = existsSync(file) ? count(JSON.parse(readFileSync(file, 'utf8'))) : { passed: 0, failed: 1, skipped: 0 };
  if (signal !== null) console.error(`vitest was ended by ${signal}.`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = status === 0 && failed === 0 ? 0 : status || 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
