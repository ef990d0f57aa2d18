import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.ts';
import { lockFolder } from '../../src/base/lock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-lock-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const lockPath = (): string => join(dir, 'athanor.lock');
const holder = (fields: object): void =>
  writeFileSync(lockPath(), JSON.stringify(
    { pid: process.pid, host: hostname(), processStart: '', since: '2026-01-01T00:00:00.000Z', command: 'train x', ...fields },
  ));

describe('lockFolder()', () => {
  it('makes the folder, holds it, and release() leaves nothing', () => {
    const inner = join(dir, 'runs', 'first'), lock = lockFolder(inner);
    expect(readdirSync(inner)).toEqual(['athanor.lock']);
    expect(JSON.parse(readFileSync(lock.path, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
    lock.release();
    lock.release();
    expect(readdirSync(inner)).toEqual([]);
    lockFolder(inner).release();
  });

  it('refuses a folder that this process holds already', () => {
    const lock = lockFolder(dir);
    expect(() => lockFolder(dir)).toThrow(/this process works in it since/);
    lock.release();
  });

  it('refuses a folder that another living process holds, naming it', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    try {
      holder({ pid: child.pid });
      let error: unknown;
      try {
        lockFolder(dir);
      } catch (e) {
        error = e;
      }
      expect(error).toBeInstanceOf(StorageError);
      expect((error as StorageError).message).toContain(`process ${child.pid} works in it since 2026-01-01T00:00:00.000Z (train x)`);
      expect((error as StorageError).path).toBe(lockPath());
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      lockFolder(dir).release();
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('takes over the lock of a process that ended', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    holder({ pid });
    const lock = lockFolder(dir);
    expect(JSON.parse(readFileSync(lockPath(), 'utf8'))).toMatchObject({ pid: process.pid });
    lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('takes over a lock whose process id is used by a younger process', () => {
    holder({ processStart: 'another boot 1' });
    lockFolder(dir).release();
  });

  it('takes over a lock that was half written', () => {
    for (const text of ['', '{"pid": 1', 'null', '{"pid": -1, "host": "x"}']) {
      writeFileSync(lockPath(), text);
      lockFolder(dir).release();
      expect(existsSync(lockPath())).toBe(false);
    }
  });

  it('respects the lock of another host and says what to delete', () => {
    holder({ host: 'elsewhere' });
    expect(() => lockFolder(dir)).toThrow(/on elsewhere works in it.*delete ".*athanor\.lock"/);
  });

  it('release() leaves a lock that another process has taken since', () => {
    const lock = lockFolder(dir);
    holder({ host: 'elsewhere' });
    lock.release();
    expect(existsSync(lockPath())).toBe(true);
  });

  it('is a StorageError where the folder cannot be made', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => lockFolder(join(dir, 'file', 'run'))).toThrow(StorageError);
  });
});
