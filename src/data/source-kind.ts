// What a source of a data recipe is. Layer: data (pure).
// A source lists its units once, in an order that every machine agrees on; any process can read any unit alone. What is
// read depends on nothing else, so that a corpus has the same bytes however many processes share the work.

import type { z } from 'zod';
import type { Document } from './document.ts';

/** What is read in one go: a file, a page, a range of rows. JSON-able: it travels between processes. */
export type Unit = {
  /** Unique in the source: the path below it, or an address. Units are listed in an order that does not change. */
  readonly key: string;
  /** Size, where it is known before reading: work is shared by it. */
  readonly bytes?: number;
  /** Whatever else the source needs to find it again. */
  readonly place?: Readonly<Record<string, string | number | boolean>>;
};

/** What reading is given, and where it says what it left out. */
export type SourceContext = {
  /** The source's name in the recipe. */
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
  /** Something could not be read or was not wanted: a whole unit, a member of an archive, a bad row. */
  skip(place: { readonly file: string; readonly record?: number; readonly bytes?: number }, reason: string, detail: string): void;
  /** Adds to a counter of the report: `encoding.gb18030`, `rows.bad`. */
  count(name: string, by?: number): void;
};

/** A kind of source: what a recipe names. One file each, one line in the list of sources. */
export type SourceKind<Options = unknown> = {
  /** As a recipe writes it, in kebab case: `files`, `web`, `sql`, `s3`, `hub`, `git`. */
  readonly name: string;
  readonly about: string;
  readonly options: z.ZodType<Options>;
  /** @throws {ConfigError} or {StorageError} if the source as a whole cannot be used */
  list(options: Options, context: SourceContext): AsyncIterable<Unit>;
  /** Documents of a unit, in order. What is damaged is skipped and said; only an abort or a failing disk throws. */
  read(unit: Unit, options: Options, context: SourceContext): AsyncIterable<Document>;
};
