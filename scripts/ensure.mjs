// Installs and builds what is missing or out of date, quietly and within milliseconds when nothing is.
// Every npm script of a checkout begins with it.

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, readStamp } from './freshness.mjs';
import { ROOT } from './project.mjs';

const modified = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** npm writes node_modules/.package-lock.json last, so it is older than a lock file that came after it. */
function isInstalled() {
  return modified('node_modules/.package-lock.json') >= Math.max(modified('package-lock.json'), 1);
}

function isBuilt() {
  const stamp = readStamp();
  const typescript = existsSync(join(ROOT, 'src')) ? fingerprint('typescript') : stamp.typescript;
  const native = `${fingerprint('native')} ${typescript ?? 'installed'}`;
  const there = existsSync(join(ROOT, 'dist')) && (stamp.addon === 'no compiler' || existsSync(join(ROOT, 'build', 'athanor.node')));
  const studio = existsSync(join(ROOT, 'studio')) && stamp.studio !== undefined ? fingerprint('studio') : stamp.studio;
  return there && stamp.typescript === typescript && stamp.native === native && stamp.studio === studio;
}

/** Runs a step with its progress on standard error, so that standard output stays the command's own. */
function step(title, command, args) {
  console.error(title);
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  if (error !== undefined) console.error(`Cannot run ${command}: ${error.message}.`);
  process.exit(status || 1);
}

if (!isInstalled()) step('Installing packages and building (once, up to two minutes) …', 'npm', ['install', '--no-audit', '--no-fund']);
if (!isBuilt()) step('Building what changed …', process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--native-if-possible']);
