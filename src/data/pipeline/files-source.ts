// Text files and folders as a source of a pipeline. Layer: data (file access).

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { groupOf } from '../document.ts';
import { readDocuments } from '../read.ts';
import { emptyReport } from '../report.ts';
import type { SourceContext, SourceKind } from '../source-kind.ts';
import { listFiles } from '../sources.ts';

const options = z.strictObject({
  path: z.union([z.string(), z.array(z.string()).min(1)]).describe('folders or files to read'),
  include: z.array(z.string()).optional().describe('patterns of files to take, as in .gitignore'),
  exclude: z.array(z.string()).optional().describe('patterns to leave out, as in .gitignore'),
  gitignore: z.boolean().default(true).describe('obey .gitignore files on the way'),
  followLinks: z.boolean().default(false).describe('follow symbolic links'),
  pieceChars: z.int().min(1).default(2 ** 20).describe('cut longer texts into documents of at most so many characters'),
  raw: z.boolean().default(false).describe('take texts as they are decoded, without repairs'),
});

/** Each file is a unit. */
export const filesSource: SourceKind<z.infer<typeof options>> = {
  name: 'files',
  about: 'Text files and folders of them, in any common encoding.',
  options,
  async *list({ path, include, exclude, gitignore, followLinks }, context) {
    const report = emptyReport();
    const files = await listFiles(typeof path === 'string' ? [path] : path, report, {
      ...(include === undefined ? {} : { include }),
      ...(exclude === undefined ? {} : { exclude }),
      gitignore,
      followLinks,
      signal: context.signal,
    });
    for (const [reason, drop] of Object.entries(report.files.skipped)) for (const { path } of drop.samples) context.skip({ file: path }, reason, '');
    for (const { absolute, path, bytes } of files) {
      // The time of the last change is no part of any result: a file that changed is read again.
      const modified = statSync(absolute, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      yield { key: path, bytes, place: { absolute: resolve(absolute), modified } };
    }
  },
  async *read(unit, { pieceChars, raw }, context) {
    const { absolute } = unit.place as { absolute: string }, report = emptyReport();
    const file = { absolute, path: unit.key, bytes: unit.bytes ?? 0, take: unit.bytes ?? 0 };
    for await (const document of readDocuments([file], report, { pieceChars, raw, signal: context.signal })) {
      yield { ...document, group: groupOf(absolute, unit.key), origin: { source: context.name, file: unit.key } };
    }
    tell(report, context);
  },
};

function tell({ files, encodings, repairs }: ReturnType<typeof emptyReport>, context: SourceContext): void {
  for (const [reason, { samples, bytes }] of Object.entries(files.skipped)) context.skip({ file: samples[0]!.path, bytes }, reason, samples[0]!.detail);
  for (const [name, count] of Object.entries(encodings)) context.count(`encoding.${name}`, count);
  for (const [name, count] of Object.entries(repairs)) if (count > 0) context.count(`repairs.${name}`, count);
}
