// Where things are: the sources are in bench/, what runs is in build/bench/, and both are in the checkout.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root: the nearest folder above with a package.json. */
export function checkout(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** A peer's script. */
export function peerScript(name: string): string {
  return join(checkout(), 'bench', 'peers', name);
}

/** One of our own processes, beside this file. */
export function ownScript(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}
