// Ready choices of files. Layer: data (pure).

import type { CorpusOptions } from './build-corpus.ts';

/**
 * For a tree of npm packages: documentation, type declarations and sources, in English and code.
 * Measured on this project's own node_modules (97 MB, 1,977 such files of 40 MB): 28 MB kept, in about 4 s on one core.
 */
export const PACKAGES_PRESET = {
  include: ['*.md', '*.ts', '*.mts', '*.cts', '*.tsx', '*.js', '*.mjs', '*.cjs', '*.jsx'],
  exclude: ['*.min.js', '*.map', '.vite/', '.cache/', '.bin/'],
  // The largest package holds 24 MB, of which 15 MB are two builds of one program: its smaller files come first, and the
  // bound ends in the second build.
  caps: { groupBytes: 12_000_000, totalBytes: 40_000_000 },
} as const satisfies Partial<CorpusOptions>;
