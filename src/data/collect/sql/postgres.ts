// PostgreSQL: a cursor in a read-only transaction. Layer: data (network).

import { Client } from 'pg';
import { AthanorError, ConfigError, InterruptedError, ProtocolError } from '../../../base/errors.ts';
import type { SqlConnection } from './sql-connection.ts';

/** Rows that are held at a time. */
const FETCH_ROWS = 1000;
const CONNECT_MS = 15_000;

/** @throws {ProtocolError} if the server does not answer or does not let us in; the message has no password */
export async function openPostgres(address: string): Promise<SqlConnection> {
  const shown = shownAddress(address);
  let client: Client;
  try {
    client = new Client({ connectionString: address, connectionTimeoutMillis: CONNECT_MS, application_name: 'athanor' });
    // Without a listener a server that goes away would end the process; the query that runs fails anyway.
    client.on('error', () => undefined);
    await client.connect();
  } catch (cause) {
    throw new ProtocolError(`Cannot connect to ${shown}: ${reasonOf(cause)}.`, { cause });
  }
  return {
    async *rows(query, signal) {
      await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      try {
        await client.query(`DECLARE athanor_rows NO SCROLL CURSOR FOR ${query}`);
        for (;;) {
          if (signal?.aborted) throw new InterruptedError('Stopped while reading a data base.');
          const { rows } = await client.query(`FETCH ${FETCH_ROWS} FROM athanor_rows`) as { rows: Record<string, unknown>[] };
          if (rows.length === 0) return;
          yield* rows;
        }
      } catch (cause) {
        if (cause instanceof AthanorError) throw cause;
        // Classes of SQLSTATE: 42 a wrong statement, 25 one that writes, 22 values that do not fit.
        const code = String((cause as { code?: unknown }).code ?? '');
        if (/^(42|25|22|0A)/.test(code)) throw new ConfigError(`Cannot run the query on ${shown}: ${reasonOf(cause)} (${code}).`, { path: 'query', cause });
        throw new ProtocolError(`Cannot read from ${shown}: ${reasonOf(cause)}.`, { cause });
      } finally {
        await client.query('ROLLBACK').catch(() => undefined);
      }
    },
    close: () => client.end().catch(() => undefined),
  };
}

function shownAddress(address: string): string {
  try {
    const { protocol, host, pathname } = new URL(address);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return 'the PostgreSQL server';
  }
}

const reasonOf = (cause: unknown): string => {
  const { message, code, errors } = cause as { message?: string; code?: string; errors?: Error[] };
  return message || errors?.[0]?.message || code || 'it does not answer';
};
