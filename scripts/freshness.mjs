// What was built from what: fingerprints by name, time and size, fast enough to look at before every command.
// build/stamp.json holds the fingerprints of the sources that the last build was made from.

import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './project.mjs';

const STAMP = join(ROOT, 'build', 'stamp.json');

const PARTS = {
  studio: { folders: ['studio'], files: ['scripts/build-studio.mjs'], ending: /\.(tsx?|css|html|json)$/ },
  typescript: { folders: ['src'], files: ['tsconfig.json'], ending: /\.ts$/ },
  native: {
    folders: ['native/binding', 'native/cpu', 'native/runtime'],
    files: ['scripts/build-native.mjs', 'scripts/op-header.mjs'],
    ending: /\.(cc|h)$/,
  },
};

/** A line that changes when a source of the part is added, removed or written. @param {'studio' | 'typescript' | 'native'} part */
export function fingerprint(part) {
  const { folders, files, ending } = PARTS[part];
  let count = 0, hash = 0;
  const add = (path) => {
    const info = statSync(join(ROOT, path), { throwIfNoEntry: false });
    if (info === undefined) return;
    count++;
    // FNV-1a (32 bits) over the facts of one file; the sum over files, below 2^53, does not depend on their order.
    const facts = `${path}:${info.mtimeMs}:${info.size}`;
    let one = 0x811c9dc5;
    for (let i = 0; i < facts.length; i++) one = Math.imul(one ^ facts.charCodeAt(i), 0x01000193);
    hash += one >>> 0;
  };
  for (const folder of folders) {
    let names = [];
    try {
      names = readdirSync(join(ROOT, folder), { recursive: true });
    } catch {
      continue; // not there in an installed package
    }
    for (const name of names) if (ending.test(name)) add(`${folder}/${name}`);
  }
  for (const file of files) add(file);
  return `${count}:${hash.toString(16)}`;
}

/** @returns {{ typescript?: string, studio?: string, native?: string, addon?: 'built' | 'no compiler' }} empty before the first build */
export function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    return {};
  }
}

/** Adds to the stamp, by way of a rename so that no reader sees half of it. */
export function writeStamp(fields) {
  mkdirSync(dirname(STAMP), { recursive: true });
  const temporary = `${STAMP}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ ...readStamp(), ...fields }));
  renameSync(temporary, STAMP);
}
