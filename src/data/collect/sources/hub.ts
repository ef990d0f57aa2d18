// The source `hub`: files of a data set on a hub. Layer: data. How a hub is asked is known above (models), so that the
// command line hands it in.

import { z } from 'zod';
import { ConfigError } from '../../../base/errors.ts';
import { IgnoreRules } from '../../ignore.ts';
import type { SourceKind } from '../../source-kind.ts';
import { readFileDocuments } from '../read-file.ts';
import { readFileShape } from '../read-options.ts';

const hubSchema = z.strictObject({
  dataset: z.string().regex(/^(hub:)?[\w.-]+(\/[\w.-]+)?$/).describe('owner/name of the data set'),
  revision: z.string().regex(/^\w[\w./-]*$/).default('main').describe('branch, tag or commit'),
  include: z.array(z.string()).default(['*.parquet', '*.jsonl', '*.jsonl.*', '*.json.gz', '*.csv', '*.csv.gz', '*.tsv', '*.txt', '*.txt.gz', '*.warc.gz', '*.zst']).describe('patterns of files to take, as in .gitignore'),
  exclude: z.array(z.string()).default([]).describe('patterns of files to leave out'),
  licence: z.string().optional().describe('licence of the documents that name none'),
  ...readFileShape,
});

export type HubSourceOptions = z.output<typeof hubSchema>;

/** How data sets are had: wired by the command line. */
export type HubFiles = {
  /** Files at the commit that a revision stands for. @throws {ProtocolError} */
  list(dataset: string, revision: string, signal: AbortSignal | undefined): Promise<{ commit: string; files: readonly { path: string; bytes: number }[] }>;
  /** Where a file lies on this machine, fetched if it does not. @throws {ProtocolError} */
  fetch(dataset: string, commit: string, path: string, signal: AbortSignal | undefined): Promise<string>;
};

/** The source, asking through `hub`. */
export function hubSource(hub: HubFiles): SourceKind<HubSourceOptions> {
  return {
    name: 'hub',
    about: 'Files of a data set on a hub.',
    options: hubSchema,
    async *list(options, context) {
      const name = options.dataset.replace(/^hub:/, ''), { commit, files } = await hub.list(name, options.revision, context.signal), include = new IgnoreRules(options.include), exclude = new IgnoreRules(options.exclude);
      const taken = files.filter(({ path }) => include.match(path, false) === true && exclude.match(path, false) !== true).sort((a, b) => (a.path < b.path ? -1 : 1));
      if (taken.length === 0) throw new ConfigError(`Nothing to read in the data set "${name}": none of its ${files.length} files fits ${options.include.join(', ')}.`, { path: 'include' });
      for (const { path, bytes } of taken) yield { key: path, bytes, place: { commit } };
    },
    async *read(unit, options, context) {
      const path = await hub.fetch(options.dataset.replace(/^hub:/, ''), String(unit.place?.['commit']), unit.key, context.signal);
      for await (const document of readFileDocuments(path, unit.key, options, context)) {
        // The group is by the name in the data set: where the cache lies is no part of it.
        const licence = document.licence ?? options.licence, group = document.origin?.record === undefined && !unit.key.includes('/') ? context.name : document.group;
        yield { ...document, group, ...(licence === undefined ? {} : { licence }) };
      }
    },
  };
}
