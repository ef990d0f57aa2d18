// What a reader of a format is. Layer: data (pure). One file each under readers/, one line in readers/index.ts.

import type { Meta } from '../document.ts';
import type { SourceContext } from '../source-kind.ts';
import type { Content, Input } from './content.ts';
import type { Budget } from './limits.ts';
import type { ReadFileOptions } from './read-options.ts';

/** A text as a reader found it. */
export type Found = {
  /** As in Origin. */
  readonly file: string;
  /** From 0; absent if the file is one document. */
  readonly record?: number | undefined;
  /** Piece of a long text, from 0. */
  readonly part?: number | undefined;
  readonly text: string;
  readonly meta?: Meta | undefined;
  readonly licence?: string | undefined;
  readonly sha256?: string | undefined;
};

/** What a reader is given. */
export type ReadContext = {
  readonly source: SourceContext;
  readonly options: ReadFileOptions;
  readonly budget: Budget;
  /** Archives and compressions around this one. */
  readonly depth: number;
  /** Says that a part could not be read; reading goes on, unless `strict` makes it an error. */
  bad(place: { file: string; record?: number; bytes?: number }, reason: string, detail: string): void;
  /** What is inside: read with the reader that fits it. */
  descend(input: Input): AsyncIterable<Found>;
};

/** A format. */
export type Reader = {
  /** In kebab case. */
  readonly name: string;
  readonly about: string;
  /** Endings of names, lower case, without the dot. */
  readonly endings: readonly string[];
  /** Media types. */
  readonly types?: readonly string[];
  /** Whether the first bytes are surely of this format. */
  matches?(head: Buffer): boolean;
  /** What it throws is said and the file is left there; what it yielded stays. */
  read(content: Content, context: ReadContext): AsyncIterable<Found>;
};
