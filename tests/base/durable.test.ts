import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeFolder, storageError, writeDurable } from '../../src/base/durable.ts';
import { StorageError } from '../../src/base/errors.ts';
import { runUnprivileged, whyNotUnprivileged } from '../unprivileged.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'durable-'));
  onTestFinished(() => {
    chmodSync(path, 0o700);
    rmSync(path, { recursive: true });
  });
  return path;
}

const isRoot = process.getuid?.() === 0, unable = whyNotUnprivileged();

/** The error that a call throws. */
function thrown(call: () => void): StorageError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(StorageError);
    return error as StorageError;
  }
  throw new Error('it did not throw');
}

describe('writeDurable()', () => {
  it('writes text, bytes and chunks, and nothing else is left in the folder', () => {
    const path = folder(), file = join(path, 'a');
    writeDurable(file, 'é 汉字');
    expect(readFileSync(file, 'utf8')).toBe('é 汉字');
    writeDurable(file, Uint8Array.of(1, 2));
    expect([...readFileSync(file)]).toEqual([1, 2]);
    writeDurable(file, [Uint8Array.of(3), new Uint8Array(0), Uint8Array.of(4, 5)]);
    expect([...readFileSync(file)]).toEqual([3, 4, 5]);
    writeDurable(file, '');
    expect(readFileSync(file).length).toBe(0);
    expect(readdirSync(path)).toEqual(['a']);
  });

  it('keeps the old file, and no temporary one, when the chunks fail half-way', () => {
    const path = folder(), file = join(path, 'a');
    writeDurable(file, 'old');
    function* failing(): Generator<Uint8Array> {
      yield new Uint8Array(1000);
      throw new RangeError('no more');
    }
    expect(() => writeDurable(file, failing())).toThrow(new RangeError('no more'));
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(path)).toEqual(['a']);
  });

  /** Kills a writer of its own process inside the call of fs that is named, before it has an effect. */
  function killedAt(call: string, file: string): void {
    const script = join(folder(), 'writer.mjs');
    writeFileSync(script, `
      import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      fs[${JSON.stringify(call)}] = () => process.kill(process.pid, 'SIGKILL');
      syncBuiltinESMExports();
      const { writeDurable } = await import(${JSON.stringify(pathToFileURL(durableModule()).href)});
      writeDurable(${JSON.stringify(file)}, 'new '.repeat(100_000));
    `);
    const { signal, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect(signal, stderr).toBe('SIGKILL');
  }

  /** The built module: Node 20 does not run TypeScript. */
  const durableModule = (): string => join(import.meta.dirname, '..', '..', 'dist', 'base', 'durable.js');

  it.skipIf(!existsSync(durableModule()))('leaves the old file when the process is killed while writing, before flushing, or before renaming', () => {
    for (const call of ['writeSync', 'fsyncSync', 'renameSync']) {
      const file = join(folder(), 'a');
      writeFileSync(file, 'old');
      killedAt(call, file);
      expect(readFileSync(file, 'utf8'), call).toBe('old');
      writeDurable(file, 'next'); // and what the dead one left does not disturb the next
      expect(readFileSync(file, 'utf8')).toBe('next');
    }
  });

  it('names the file and a remedy where there is no such folder, or a file in the way', () => {
    const path = folder(), missing = join(path, 'none', 'a');
    const error = thrown(() => writeDurable(missing, 'x'));
    expect(error.message).toBe(`Cannot write "${missing}": there is no such file or folder.`);
    expect(error.path).toBe(missing);
    writeFileSync(join(path, 'file'), '');
    expect(thrown(() => writeDurable(join(path, 'file', 'a'), 'x')).message).toMatch(/a part of the path is a file, not a folder/);
    mkdirSync(join(path, 'taken'));
    expect(thrown(() => writeDurable(join(path, 'taken'), 'x')).message).toMatch(/Cannot write ".*taken": that is a folder, not a file/);
    expect(readdirSync(path).sort()).toEqual(['file', 'taken']);
  });

  it.skipIf(unable !== undefined)(`names a folder that one may not write to${unable === undefined ? '' : ` (skipped: ${unable})`}`, () => {
    const path = folder();
    chmodSync(path, 0o555);
    const said = runUnprivileged(`const { writeDurable } = await dist('base/durable.js');
      try { writeDurable(${JSON.stringify(join(path, 'a'))}, 'x'); } catch (error) { console.log(error.name, error.message); }`);
    expect(said).toMatch(/^StorageError .*permission denied: choose a folder you may write to/);
  });

  /** A file system of 64 KiB, if this user may mount one. */
  function tiny(options: string): string | undefined {
    const path = folder();
    if (!isRoot || spawnSync('mount', ['-t', 'tmpfs', '-o', `size=65536,${options}`, 'tmpfs', path]).status !== 0) return undefined;
    onTestFinished(() => void spawnSync('umount', [path]));
    return path;
  }

  it('names a full disk, keeps the old file and leaves no temporary one', (context) => {
    const path = tiny('rw');
    if (path === undefined) return context.skip('a small file system cannot be mounted here');
    const file = join(path, 'a');
    writeDurable(file, 'old');
    expect(thrown(() => writeDurable(file, new Uint8Array(1 << 20))).message).toBe(`Cannot write "${file}": the disk is full: free some space and run the command again.`);
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(path)).toEqual(['a']);
  });

  it('names a file system that is read-only', (context) => {
    const path = tiny('ro');
    if (path === undefined) return context.skip('a small file system cannot be mounted here');
    expect(thrown(() => writeDurable(join(path, 'a'), 'x')).message).toMatch(/the file system is read-only: choose another folder/);
    expect(thrown(() => makeFolder(join(path, 'b'))).message).toMatch(/Cannot make the folder ".*b": the file system is read-only/);
  });
});

describe('makeFolder()', () => {
  it('makes parents, may be called twice, and names a file in the way', () => {
    const path = folder(), deep = join(path, 'a', 'b', 'c');
    makeFolder(deep);
    makeFolder(deep);
    expect(existsSync(deep)).toBe(true);
    writeFileSync(join(path, 'file'), '');
    expect(thrown(() => makeFolder(join(path, 'file', 'b'))).path).toBe(join(path, 'file', 'b'));
  });
});

describe('storageError()', () => {
  it('leaves other errors as they are, and shows a code that it has no words for', () => {
    const own = new TypeError('mine');
    expect(storageError('read', '/x', own)).toBe(own);
    expect(storageError('read', '/x', Object.assign(new Error('?'), { code: 'ERR_INVALID_ARG' }))).not.toBeInstanceOf(StorageError);
    const strange = storageError('read', '/x', Object.assign(new Error('?'), { code: 'EXDEV' }));
    expect(strange.message).toBe('Cannot read "/x": EXDEV.');
    expect((strange as StorageError).cause).toBeInstanceOf(Error);
  });
});
