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
};

/** A stream of documents: arrays and generators of both kinds will do. */
export type Documents = Iterable<Document> | AsyncIterable<Document>;

/** A stage of the pipeline: takes a stream of documents and gives one. */
export type Stage = (documents: Documents) => AsyncIterable<Document>;

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
