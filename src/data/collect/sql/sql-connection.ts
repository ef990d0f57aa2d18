// What a database must give to be read from. Layer: data (pure).

/** A connection that only reads. */
export type SqlConnection = {
  /** The rows of one statement, as they come. @throws {ConfigError} if the database refuses the statement */
  rows(query: string, signal: AbortSignal | undefined): AsyncIterable<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
};
