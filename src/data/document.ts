// A document, and what a stage does with a stream of them. Layer: data (pure).

/** A piece of text with its origin. */
export type Document = {
  /** Unique in a corpus and the same on every machine: the path, with `#n` for the n-th piece of a long file. */
  id: string;
  /** Source and path below it, with `/` between names. */
  path: string;
  /** What is kept on one side of a split: a package (`zod`, `@types/node`), or a folder. */
  group: string;
  text: string;
  /** Size of the text in UTF-8. */
  bytes: number;
  /** Where it was read; absent in texts that a program made. */
  origin?: Origin;
  /** SPDX identifier, or the licence as the source words it; absent where it is not known. */
  licence?: string;
  /** What is known beside the text: title, author, date (ISO 8601), language (BCP 47), url, label … */
  meta?: Meta;
};

/** Names in lower camel case; values are JSON's, flat. */
export type Meta = Readonly<Record<string, string | number | boolean>>;

/** The place that a document was read from, precise enough to find it again. */
export type Origin = {
  /** The source's name in the recipe. */
  source: string;
  /** File below the source, or address; `!` leads into an archive: `crawl.zip!2024/a.warc.gz`. */
  file: string;
  /** Record of the file, from 0: a row, a page of a dump, a record of an archive. Absent if the file is one document. */
  record?: number;
  /** Of the file's raw bytes, where they were read to the end. */
  sha256?: string;
};

/** A stream of documents: arrays and generators of both kinds will do. */
export type Documents = Iterable<Document> | AsyncIterable<Document>;

/**
 * The group of a file: its package where it lies under node_modules (by name, so that two versions go together), else its
 * folder.
 *
 * @param absolute path of the file on this machine, to recognise node_modules above the source
 * @param path as in {@link Document}
 */
export function groupOf(absolute: string, path: string): string {
  const parts = absolute.split(/[\\/]/), at = parts.lastIndexOf('node_modules');
  const name = parts[at + 1];
  if (at >= 0 && name !== undefined && at + 1 < parts.length - 1) {
    return name.startsWith('@') && at + 2 < parts.length - 1 ? `${name}/${parts[at + 2]!}` : name;
  }
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** Size of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text);
}
