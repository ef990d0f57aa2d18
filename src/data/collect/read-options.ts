// How files are read: what a recipe can say for every source that has files. Layer: data (pure).

import { z } from 'zod';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';

const names = z.union([z.string(), z.array(z.string()).min(1)]).transform((value) => (typeof value === 'string' ? [value] : value));
const bound = (value: number): z.ZodDefault<z.ZodInt> => z.int().positive().default(value);

/** Fields that sources with files share. */
export const readFileShape = {
  text: names.optional().describe('field or column that holds the text of JSONL, CSV and Parquet rows; several are joined (default: text, content, body … whichever is there)'),
  keep: z.array(z.string()).default([]).describe('further fields or columns that documents keep in meta'),
  format: z.string().optional().describe('read every file as this format instead of looking at its bytes and name'),
  markdown: z.boolean().default(true).describe('keep headings, lists, tables, code and mathematics of pages and documents as Markdown'),
  pieceChars: z.int().min(1).default(2 ** 20).describe('cut longer texts into documents of at most so many characters'),
  raw: z.boolean().default(false).describe('take texts as they are decoded, without repairs'),
  strict: z.boolean().default(false).describe('stop at the first bad row or damaged file instead of counting it'),
  pdfSeconds: z.number().positive().default(60).describe('time that a PDF may take before it is given up'),
  limits: z.strictObject({
    depth: bound(DEFAULT_LIMITS.depth).describe('archives inside archives'),
    ratio: bound(DEFAULT_LIMITS.ratio).describe('bytes that decompression may make of one'),
    expandedBytes: bound(DEFAULT_LIMITS.expandedBytes).describe('bytes that decompression may make of a file'),
    members: bound(DEFAULT_LIMITS.members).describe('members of an archive'),
    heldBytes: bound(DEFAULT_LIMITS.heldBytes).describe('bytes of a page, a document or an inner archive'),
    recordBytes: bound(DEFAULT_LIMITS.recordBytes).describe('bytes of a row'),
  }).prefault({}).describe('when bytes of strangers are refused'),
};

const readFileSchema = z.object(readFileShape);

/** How to read a file; the descriptions are in {@link readFileShape}. */
export type ReadFileOptions = Omit<z.output<typeof readFileSchema>, 'limits'> & { readonly limits: Limits };

/** Defaults with some of them changed. @throws {ConfigError} as zod's errors are worded by the caller */
export function readFileOptions(options: z.input<typeof readFileSchema> = {}): ReadFileOptions {
  return readFileSchema.parse(options);
}
