// What quickstart reads when nothing is said, and where it puts its run. Layer: cli.

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGES_PRESET } from '../../data/index.ts';
import type { Override } from '../arguments.ts';
import { PACKAGE_FOLDER } from '../version.ts';

/** Whether the command runs in Athanor's own checkout. */
export function inOwnCheckout(cwd = process.cwd()): boolean {
  return realpathSync(cwd) === realpathSync(PACKAGE_FOLDER) && existsSync(join(cwd, 'src'));
}

/** How a user calls the command from here. */
export function commandName(): string {
  return inOwnCheckout() ? 'npm run athanor --' : 'npx athanor';
}

/** Text of someone's own folder: more than this cannot be learnt in minutes, and would take long to read. */
const OWN_BYTES = 20_000_000;

/**
 * The data section for the paths that were given; without any, the packages of this checkout, or the folder that the
 * command runs in.
 */
export function dataOverrides(paths: readonly string[]): Override[] {
  const set = (values: Readonly<Record<string, unknown>>): Override[] => Object.entries(values).map(([key, value]) => [`data.${key}`, JSON.stringify(value)]);
  if (paths.length > 0 || !inOwnCheckout()) return set({ path: paths.length > 0 ? paths : ['.'], maxBytes: OWN_BYTES, validationFraction: 0.05 });
  const { include, exclude, caps } = PACKAGES_PRESET;
  return set({ path: ['node_modules'], include, exclude, maxGroupBytes: caps.groupBytes, maxBytes: caps.totalBytes });
}

/** A folder that is not there yet: runs/quickstart-DATE. */
export function newRunFolder(now = new Date()): string {
  const pad = (n: number): string => String(n).padStart(2, '0');
  const base = join('runs', `quickstart-${now.getFullYear()}${pad(now.getMonth() + 1)}${pad(now.getDate())}-${pad(now.getHours())}${pad(now.getMinutes())}`);
  for (let i = 1;; i++) {
    const dir = i === 1 ? base : `${base}-${i}`;
    if (!existsSync(dir)) return dir;
  }
}
