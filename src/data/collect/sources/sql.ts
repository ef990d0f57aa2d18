// The source `sql`: rows of a query, from SQLite files and PostgreSQL. Layer: data (network, file access).
// Reading is all that is done: a read-only transaction, a cursor, and nothing of the connection in any message. A unit is the
// whole query, or a range of a whole-number column, so that processes can share it.

import { z } from 'zod';
import { ConfigError, FormatError } from '../../../base/errors.ts';
import { utf8Bytes } from '../../document.ts';
import type { SourceKind, Unit } from '../../source-kind.ts';
import { throwIfAborted } from '../../work.ts';
import { readFileOptions } from '../read-options.ts';
import { fieldsOf, textColumns, type Row } from '../row-fields.ts';
import { openPostgres } from '../sql/postgres.ts';
import { openSqlite } from '../sql/sqlite.ts';
import type { SqlConnection } from '../sql/sql-connection.ts';

const names = z.union([z.string(), z.array(z.string()).min(1)]).transform((value) => (typeof value === 'string' ? [value] : value));

const sqlSchema = z.strictObject({
  database: z.string().describe('a SQLite file, or postgres://user@host/name (the password in PGPASSWORD or ~/.pgpass)'),
  query: z.string().describe('a SELECT; give it an ORDER BY where the order is to be the same each time'),
  text: names.optional().describe('column that holds the text; several are joined (default: text, content, body … whichever is there)'),
  keep: z.array(z.string()).default([]).describe('further columns that documents keep in meta'),
  split: z.string().optional().describe('a whole-number column of the query by which it is read in ranges, so that processes can share it'),
  rangeRows: z.int().positive().default(100_000).describe('values of the split column in a range'),
  strict: z.boolean().default(false).describe('stop at the first row without text instead of counting it'),
});

export type SqlOptions = z.output<typeof sqlSchema>;

/** Ranges beyond this come of a split column whose values are not dense. */
const MAX_RANGES = 1_000_000;

export const sql: SourceKind<SqlOptions> = {
  name: 'sql',
  about: 'Rows of a query, from a SQLite file or PostgreSQL, read only.',
  options: sqlSchema,
  async *list(options, context) {
    const query = onlySelect(options.query), { split, rangeRows } = options;
    if (split === undefined) return yield { key: 'rows' };
    const connection = await open(options.database), column = quoted(split);
    try {
      for await (const row of connection.rows(`SELECT CAST(MIN(${column}) AS BIGINT) AS low, CAST(MAX(${column}) AS BIGINT) AS high FROM (${query}) AS q`, context.signal)) {
        if (row['low'] === null) return;
        const low = Number(row['low']), high = Number(row['high']);
        if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high)) throw new ConfigError(`Cannot split by "${split}": its values are ${String(row['low'])} to ${String(row['high'])}, and whole numbers are needed.`, { path: 'split' });
        if ((high - low) / rangeRows > MAX_RANGES) throw new ConfigError(`Cannot split by "${split}": ${low} to ${high} makes more than ${MAX_RANGES} ranges of ${rangeRows}; set "rangeRows" higher.`, { path: 'rangeRows' });
        for (let from = low; from <= high; from += rangeRows) yield { key: `rows-${from}`, place: { from, to: Math.min(high, from + rangeRows - 1) } };
      }
    } finally {
      await connection.close();
    }
  },
  async *read(unit, options, context) {
    const connection = await open(options.database), { text, keep, strict } = options, fieldOptions = readFileOptions({ text, keep, strict });
    let columns: readonly string[] | undefined, record = 0;
    try {
      for await (const row of connection.rows(rangeOf(unit, options), context.signal)) {
        throwIfAborted(context.signal, 'read');
        columns ??= chosenColumns(row, fieldOptions);
        const fields = fieldsOf(row, fieldOptions, columns), id = `${context.name}/${unit.key}#${record}`;
        if (fields === undefined) {
          const detail = `Nothing in ${columns.join(', ')}.`;
          if (strict) throw new FormatError(`Stopped at row ${record} of "${unit.key}": ${detail}`, { path: unit.key });
          context.count('rows.bad');
          context.skip({ file: unit.key, record }, 'no-text', detail);
        } else {
          const { text, meta, licence } = fields;
          yield { id, path: `${context.name}/${unit.key}`, group: id, text, bytes: utf8Bytes(text), origin: { source: context.name, file: unit.key, record }, ...(licence === undefined ? {} : { licence }), ...(Object.keys(meta).length === 0 ? {} : { meta }) };
        }
        record++;
      }
    } finally {
      await connection.close();
    }
  },
};

/** A column that is named or usual. @throws {ConfigError} with the columns that there are */
function chosenColumns(row: Row, options: Parameters<typeof textColumns>[1]): readonly string[] {
  const names = Object.keys(row), columns = textColumns(names, options);
  if (columns === undefined) throw new ConfigError(`No column for the text: ${options.text?.join(', ') ?? 'a usual name'} is not among ${names.join(', ')}. Name one with "text".`, { path: 'text' });
  return columns;
}

function rangeOf(unit: Unit, { query, split }: SqlOptions): string {
  const from = unit.place?.['from'], to = unit.place?.['to'], select = onlySelect(query);
  if (split === undefined || typeof from !== 'number' || typeof to !== 'number') return select;
  return `SELECT * FROM (${select}) AS q WHERE ${quoted(split)} BETWEEN ${Math.trunc(from)} AND ${Math.trunc(to)} ORDER BY ${quoted(split)}`;
}

/** One statement that reads. What it calls is held by the read-only transaction, not by this. */
function onlySelect(query: string): string {
  const bare = query.trim().replace(/;\s*$/, '');
  if (!/^(select|with|values|table)\b/i.test(bare)) throw new ConfigError(`Cannot run "${bare.slice(0, 60)}": a query is a SELECT.`, { path: 'query' });
  return bare;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function open(database: string): Promise<SqlConnection> {
  return /^postgres(ql)?:\/\//i.test(database) ? openPostgres(database) : openSqlite(database);
}
