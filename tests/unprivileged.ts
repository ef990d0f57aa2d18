// Code that must meet folders which it may not read or write. Root may do everything, so as root it runs in a child
// process as nobody; where nobody cannot even read the repository, the test is skipped and says so.

import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NOBODY = 65534;
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Options of spawn that take root's rights away; none for anybody else. */
export const UNPRIVILEGED = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Runs a module's text, in which `dist('base/durable.js')` imports what is built. @returns what it printed */
export function runUnprivileged(text: string): string {
  const script = `const dist = (path) => import(${JSON.stringify(pathToFileURL(DIST).href)} + path);\n${text}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd: '/', ...UNPRIVILEGED });
  if (status !== 0) throw new Error(`The child process failed: ${stderr}`);
  return stdout.trim();
}

/** Why tests cannot run without rights, if they cannot. */
export function whyNotUnprivileged(): string | undefined {
  if (process.platform === 'win32') return 'Windows has other rights';
  const { status } = spawnSync(process.execPath, ['-e', `require('node:fs').readdirSync(${JSON.stringify(DIST)})`], { cwd: '/', ...UNPRIVILEGED });
  return status === 0 ? undefined : `user ${NOBODY} may not read "${DIST}"`;
}

/** Lets anybody go into a temporary folder, which is its owner's alone otherwise. */
export function openToAll(path: string): void {
  chmodSync(path, 0o755);
}
