// Which runs were trained on a sequence of tokens. Layer: cli.

import { readdirSync, readFileSync, statSync, type Dirent } from 'node:fs';
import { join } from 'node:path';

/** Manifests are small; weights and logs are not looked into. */
const MAX_BYTES = 2 ** 20;
const MAX_DEPTH = 4;

/**
 * Runs whose checkpoints name the sequence by its content hash.
 *
 * @param runs folders of runs, or folders that hold such
 * @param hashes content hashes of shards
 */
export function runsThatSaw(runs: readonly string[], hashes: readonly string[]): string[] {
  const found = new Set<string>();
  for (const root of runs) {
    for (const entry of entriesOf(root)) {
      if (entry.isDirectory() && mentions(join(root, entry.name), hashes, 0)) found.add(join(root, entry.name));
    }
  }
  return [...found].sort();
}

function mentions(folder: string, hashes: readonly string[], depth: number): boolean {
  return entriesOf(folder).some((entry) => {
    const path = join(folder, entry.name);
    // A run's own data folder names its hash too, but a build is no training.
    if (entry.isDirectory()) return depth < MAX_DEPTH && entry.name !== 'data' && mentions(path, hashes, depth + 1);
    if (!entry.name.endsWith('.json') || statSync(path).size > MAX_BYTES) return false;
    const text = readFileSync(path, 'utf8');
    return hashes.some((hash) => text.includes(hash));
  });
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // no runs there
  }
}
