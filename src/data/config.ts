// The `data` section of a recipe. Layer: data (pure).

import { z } from 'zod';
import type { CorpusOptions } from './build-corpus.ts';
import { pipelineFields } from './pipeline/spec.ts';

const share = z.number().min(0).max(1);
const cap = z.int().positive().optional();

/** What a recipe can say about data; the descriptions are the command line's help. */
export const dataSchema = z.strictObject({
  path: z.union([z.string(), z.array(z.string()).min(1)]).optional().describe('folders or files to read'),
  include: z.array(z.string()).optional().describe('patterns of files to take, as in .gitignore (default: all)'),
  exclude: z.array(z.string()).optional().describe('patterns to leave out, as in .gitignore (default: version control, packages, lock files, secrets)'),
  gitignore: z.boolean().default(true).describe('obey .gitignore files on the way'),
  followLinks: z.boolean().default(false).describe('follow symbolic links'),
  maxFileBytes: cap.describe('cut larger files'),
  maxGroupBytes: cap.describe('take at most so much from a package or folder, smallest files first'),
  maxBytes: cap.describe('take at most so much in all, small packages and folders whole'),
  pieceChars: z.int().min(1).default(2 ** 20).describe('cut longer texts into documents of at most so many characters'),
  raw: z.boolean().default(false).describe('take texts as they are: no repairs, no filters, no search for copies'),
  nearCopies: z.union([share, z.literal(false)]).default(0.8).describe('Jaccard similarity from which a document is a near-copy and dropped'),
  validationFraction: share.default(0.05).describe('share of the text that is held out'),
  split: z.enum(['auto', 'package', 'folder', 'file', 'document', 'tail']).default('auto').describe('what is kept on one side of the split; tail holds out the end of the text'),
  leakSimilarity: z.union([share, z.literal(false)]).default(0.5).describe('Jaccard similarity from which a held-out document is too near to training and dropped'),
  ...pipelineFields,
  sampling: z.enum(['windows', 'packed', 'random']).default('windows').describe('rows by shuffled windows, of whole documents with little padding, or from random positions across documents'),
});

/** A resolved `data` section. */
export type DataConfig = z.infer<typeof dataSchema>;

/** The options of `buildCorpus` that a section stands for, but for where the corpus goes and the seed. */
export function corpusOptions(config: DataConfig): Omit<CorpusOptions, 'dir' | 'seed'> {
  const { path = [], include, exclude, maxFileBytes, maxGroupBytes, maxBytes, sampling: _, sources: _s, stages: _t, mix: _m, memory: _y, processes: _p, strict: _c, forget: _f, ...rest } = config;
  return {
    sources: typeof path === 'string' ? [path] : path,
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
    caps: { fileBytes: maxFileBytes, groupBytes: maxGroupBytes, totalBytes: maxBytes },
    ...rest,
  };
}
