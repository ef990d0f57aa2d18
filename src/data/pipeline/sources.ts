// The kinds of sources that a recipe can name, each loaded when it is first used. Layer: data.

import { ConfigError } from '../../base/errors.ts';
import type { SourceKind } from '../source-kind.ts';
import { checkOptions } from './options.ts';
import type { SourceSpec } from './spec.ts';

const SOURCES: Readonly<Record<string, () => Promise<SourceKind>>> = {
  files: async () => (await import('../collect/sources/files.ts')).files as SourceKind,
  web: async () => (await import('../collect/sources/web.ts')).web as SourceKind,
  crawl: async () => (await import('../collect/sources/web.ts')).crawl as SourceKind,
  git: async () => (await import('../collect/sources/git.ts')).git as SourceKind,
  sql: async () => (await import('../collect/sources/sql.ts')).sql as SourceKind,
  s3: async () => (await import('../collect/sources/s3.ts')).s3 as SourceKind,
};

/** A source that is ready to list and read. */
export type OpenSource = { readonly kind: SourceKind; readonly options: unknown };

/** Names of all kinds. */
export function sourceKinds(): string[] {
  return Object.keys(SOURCES);
}

/** @throws {ConfigError} for an unknown kind, or options that it does not have */
export async function openSource(spec: SourceSpec): Promise<OpenSource> {
  const load = Object.hasOwn(SOURCES, spec.kind) ? SOURCES[spec.kind] : undefined;
  if (load === undefined) throw new ConfigError(`Unknown source "${spec.kind}": there are ${sourceKinds().join(', ')}.`, { path: 'data.sources' });
  const kind = await load();
  return { kind, options: checkOptions(kind.options, spec.options, `the source "${spec.name}" (${spec.kind})`, 'data.sources') };
}
