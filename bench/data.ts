// data: from raw files to a corpus on disk: read and cleaned (encodings, repairs, filters, exact copies); and with the
// search for near copies, within the corpus and across its split. There is no peer: nothing installed does
// the same work in one go.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildCorpus, type CorpusOptions } from 'athanor/data';
import type { Contender } from './contender.ts';
import { duel, isAsked, type Bench } from './harness.ts';
import { sampleTexts } from './sample-text.ts';

const BYTES = 30e6;
/** Files of one folder, which the split keeps together as it does a package's. */
const FILES_A_FOLDER = 20;

const CASES: readonly (readonly [name: string, options: Partial<CorpusOptions>])[] = [
  ['read and clean', { nearCopies: false, leakSimilarity: false }],
  ['read, clean and near copies', {}],
];

export const data: Bench = {
  about: 'building a corpus out of files: reading, cleaning, exact and near copies, the split, and writing it',
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), 'athanor-bench-')), sources = join(folder, 'sources');
    try {
      const bytes = writeSources(sources);
      for (const [name, options] of CASES) {
        const title = `${name} ${Math.round(bytes / 1e6)}mb`;
        if (!isAsked(context, title)) continue;
        await duel(context, { bench: 'data', case: title, unit: 'MB/s', ours: builder(folder, { ...options, sources: [sources] }, bytes), peers: [], rounds: 3 });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** @returns bytes of all texts */
function writeSources(root: string): number {
  let bytes = 0;
  for (const [i, text] of sampleTexts(BYTES).entries()) {
    const folder = join(root, `folder-${Math.floor(i / FILES_A_FOLDER)}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `text-${i}.txt`), text);
    bytes += Buffer.byteLength(text);
  }
  return bytes;
}

/** Builds into a folder of its own every time. */
function builder(folder: string, options: Omit<CorpusOptions, 'dir'>, bytes: number): Contender {
  let count = 0;
  return {
    name: 'athanor',
    start: async () => ({}),
    async measure() {
      const dir = join(folder, `corpus-${count++}`), begin = performance.now();
      const { manifest } = await buildCorpus({ ...options, dir }), seconds = (performance.now() - begin) / 1000;
      rmSync(dir, { recursive: true, force: true });
      return { values: [bytes / 1e6 / seconds], facts: { documents: manifest.files.train.documents } };
    },
    close: async () => {},
  };
}
