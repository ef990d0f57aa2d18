import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackendError, ConfigError, ProtocolError, StorageError } from '../../../src/base/errors.ts';
import { sql } from '../../../src/data/collect/sources/sql.ts';
import { readSource } from './collecting.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-sql-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const canRun = (name: string): boolean => spawnSync(name, ['--version']).status === 0;
/** PostgreSQL refuses to run as root, so that root starts it as somebody else. */
const asServer = (command: string): [string, string[]] => (process.getuid?.() === 0 ? ['setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', command]] : ['sh', ['-c', command]]);
const whyNoPostgres = !canRun('initdb') || !canRun('pg_ctl') ? 'PostgreSQL is not installed' : process.getuid?.() === 0 && !canRun('setpriv') ? 'root cannot start PostgreSQL without setpriv' : undefined;

describe.skipIf(whyNoPostgres !== undefined)(`sql on PostgreSQL${whyNoPostgres === undefined ? '' : `: ${whyNoPostgres}`}`, () => {
  let data: string, database: string;
  const port = 20_000 + (process.pid % 20_000);

  beforeAll(async () => {
    data = mkdtempSync(join(tmpdir(), 'athanor-pg-'));
    if (process.getuid?.() === 0) execFileSync('chown', ['65534:65534', data]);
    const run = (command: string): void => {
      const [program, words] = asServer(command);
      execFileSync(program, words, { stdio: 'ignore', cwd: '/', env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    };
    run(`initdb -D ${data}/db -U tester --auth=trust --encoding=UTF8 --no-sync`);
    run(`pg_ctl -D ${data}/db -w -o "-p ${port} -k ${data} -c listen_addresses=127.0.0.1 -c fsync=off" -l ${data}/log start`);
    database = `postgres://tester:s3cret@127.0.0.1:${port}/postgres`;
    const client = new Client({ connectionString: database });
    await client.connect();
    await client.query(`CREATE TABLE pages (id int PRIMARY KEY, body text, title text, licence text)`);
    await client.query(`INSERT INTO pages SELECT i, CASE WHEN i = 7 THEN NULL ELSE 'text 文字 ' || i END, 'T' || i, 'CC0-1.0' FROM generate_series(1, 2500) i`);
    await client.end();
  }, 60_000);
  afterAll(() => {
    const [program, words] = asServer(`pg_ctl -D ${data}/db -m immediate stop`);
    spawnSync(program, words, { stdio: 'ignore', cwd: '/' });
    rmSync(data, { recursive: true, force: true });
  });

  it('reads all rows through a cursor, and says those without text', async () => {
    const { documents, skips, counts } = await readSource(sql, { database, query: 'SELECT * FROM pages ORDER BY id;' });
    expect(documents.length).toBe(2499);
    expect(documents[0]).toEqual({ id: 's/rows#0', path: 's/rows', group: 's/rows#0', text: 'text 文字 1', bytes: 13, origin: { source: 's', file: 'rows', record: 0 }, licence: 'CC0-1.0', meta: { title: 'T1', id: 1 } });
    expect(skips).toEqual([{ file: 'rows', record: 6, reason: 'no-text', detail: 'Nothing in body.' }]);
    expect(counts['rows.bad']).toBe(1);
  });

  it('reads ranges that together are the whole', async () => {
    const { documents, keys } = await readSource(sql, { database, query: 'SELECT id, body FROM pages', split: 'id', rangeRows: 1000 });
    expect(keys).toEqual(['rows-1', 'rows-1001', 'rows-2001']);
    expect(new Set(documents.map(({ text }) => text)).size).toBe(2499);
  });

  it('cannot write, whatever the query says', async () => {
    await expect(readSource(sql, { database, query: 'DELETE FROM pages' })).rejects.toThrow(/a query is a SELECT/);
    await expect(readSource(sql, { database, query: 'WITH gone AS (DELETE FROM pages RETURNING *) SELECT * FROM gone' })).rejects.toThrow(ConfigError);
    await expect(readSource(sql, { database, query: "SELECT setval('nothing', 1)" })).rejects.toThrow(ConfigError);
    expect((await readSource(sql, { database, query: 'SELECT count(*)::text AS text FROM pages' })).documents[0]!.text).toBe('2500');
  });

  it('says a wrong statement, column or server without the password', async () => {
    await expect(readSource(sql, { database, query: 'SELECT nope FROM pages' })).rejects.toThrow(/column "nope" does not exist \(42703\)/);
    await expect(readSource(sql, { database, query: 'SELECT id, title FROM pages' })).rejects.toThrow(/is not among id, title/);
    const error = await readSource(sql, { database: 'postgres://tester:s3cret@127.0.0.1:1/postgres', query: 'SELECT 1' }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ProtocolError);
    expect((error as Error).message).toMatch(/^Cannot connect to postgres:\/\/127\.0\.0\.1:1\/postgres: /);
    expect((error as Error).message).not.toContain('s3cret');
  });
});

/** Node.js from 22.13 on; libsql where somebody installed it. */
function canReadSqlite(): boolean {
  try {
    createRequire(import.meta.url).resolve('node:sqlite');
    return Number(process.versions.node.split('.')[0]) >= 22;
  } catch {
    return false;
  }
}

describe('sql on SQLite', () => {
  it.skipIf(!canReadSqlite())('reads rows and ranges of a file (Node.js 22.13 and later)', async () => {
    const { DatabaseSync } = await import('node:sqlite' as string) as { DatabaseSync: new(path: string) => { exec(query: string): void; close(): void } };
    const database = join(dir, 'a.db'), made = new DatabaseSync(database);
    made.exec("CREATE TABLE t (id INTEGER, text TEXT); INSERT INTO t VALUES (1, 'one'), (2, '二'), (9, 'nine')");
    made.close();
    const { documents, keys } = await readSource(sql, { database, query: 'SELECT * FROM t', split: 'id', rangeRows: 5 });
    expect([keys, documents.map(({ text }) => text)]).toEqual([['rows-1', 'rows-6'], ['one', '二', 'nine']]);
    await expect(readSource(sql, { database, query: 'SELECT nope FROM t' })).rejects.toThrow(ConfigError);
    writeFileSync(join(dir, 'bad.db'), 'no data base'.repeat(100));
    await expect(readSource(sql, { database: join(dir, 'bad.db'), query: 'SELECT * FROM t' })).rejects.toThrow(/bad\.db/);
  });

  it('says what is missing', async () => {
    await expect(readSource(sql, { database: join(dir, 'none.db'), query: 'SELECT 1' })).rejects.toThrow(StorageError);
    if (canReadSqlite()) return;
    writeFileSync(join(dir, 'b.db'), '');
    await expect(readSource(sql, { database: join(dir, 'b.db'), query: 'SELECT 1' })).rejects.toThrow(BackendError);
    expect(existsSync(join(dir, 'b.db'))).toBe(true);
  });
});
