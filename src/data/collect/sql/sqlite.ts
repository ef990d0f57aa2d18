// SQLite files: by Node.js's own module (22.13 and later), else by the package libsql where it is installed. Layer: data.

import { existsSync } from 'node:fs';
import { BackendError, ConfigError, StorageError } from '../../../base/errors.ts';
import type { SqlConnection } from './sql-connection.ts';

type Statement = { iterate(): Iterable<Record<string, unknown>> };
type Database = { prepare(query: string): Statement; exec(query: string): void; close(): void };

/** @throws {BackendError} if neither module is there; {StorageError} if the file is not, or is no database */
export async function openSqlite(path: string): Promise<SqlConnection> {
  if (!existsSync(path)) throw new StorageError(`Cannot read "${path}": there is no such file.`, { path });
  const database = await openDatabase(path);
  return {
    async *rows(query) {
      let iterator: Iterator<Record<string, unknown>>;
      try {
        iterator = database.prepare(query).iterate()[Symbol.iterator]();
      } catch (cause) {
        throw new ConfigError(`Cannot run the query on "${path}": ${(cause as Error).message}.`, { path: 'query', cause });
      }
      for (;;) {
        let step: IteratorResult<Record<string, unknown>>;
        try {
          step = iterator.next();
        } catch (cause) {
          throw new StorageError(`Cannot read "${path}": ${(cause as Error).message}.`, { path, cause });
        }
        if (step.done === true) return;
        yield { ...step.value };
      }
    },
    close: () => Promise.resolve(database.close()),
  };
}

async function openDatabase(path: string): Promise<Database> {
  try {
    const own = await optional<{ DatabaseSync: new(path: string, options: object) => Database }>('node:sqlite');
    if (own !== undefined) return new own.DatabaseSync(path, { readOnly: true });
    const libsql = await optional<{ default: new(path: string, options: object) => Database }>('libsql');
    if (libsql !== undefined) return new libsql.default(path, { readonly: true });
  } catch (cause) {
    throw new StorageError(`Cannot open "${path}": ${(cause as Error).message}.`, { path, cause });
  }
  throw new BackendError(`Cannot read the SQLite file "${path}" with Node.js ${process.versions.node}.`, { help: 'Use Node.js 22.13 or later, or install libsql: npm install libsql' });
}

/** A module that may not be there. */
async function optional<T>(name: string): Promise<T | undefined> {
  try {
    return (await import(name)) as T;
  } catch (error) {
    if (/ERR_(UNKNOWN_BUILTIN_)?MODULE(_NOT_FOUND)?/.test(String((error as NodeJS.ErrnoException).code)) || /Cannot find (package|module)|No such built-in|Failed to load|Could not resolve/i.test((error as Error).message)) return undefined;
    throw error;
  }
}
