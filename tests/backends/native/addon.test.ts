import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BackendError, StorageError } from '../../../src/base/errors.ts';
import { loadAddon } from '../../../src/backends/native/addon.ts';
import { mapFile } from '../../../src/backends/native/map-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'athanor-addon-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('loadAddon()', () => {
  it('says how to build what is missing or broken', () => {
    expect(() => loadAddon(join(folder, 'none.node'))).toThrow(BackendError);
    const broken = join(folder, 'broken.node');
    writeFileSync(broken, 'not a library');
    try {
      loadAddon(broken);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(BackendError);
      expect((error as BackendError).help).toContain('npm run build');
    }
  });

  it('refuses wrong arguments with an error', () => {
    const addon = loadAddon() as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const name of ['open', 'load', 'unload', 'state', 'memory', 'start', 'abort', 'measurePeak', 'close', 'mapFile']) {
      for (const args of [[], [null], ['x'], [-1], [1e300], [Number.NaN], [{}], [0xffffffff, 1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
        expect(() => addon[name]!(...args), `${name}(${String(args)})`).toThrow();
      }
    }
  });
});

describe('mapFile()', () => {
  it('gives the bytes of a file, of any part, and of an empty one', () => {
    const path = join(folder, '文件.bin'), bytes = Uint8Array.from({ length: 10000 }, (_, i) => i % 251);
    writeFileSync(path, bytes);
    expect(mapFile(path)).toEqual(bytes);
    expect(mapFile(path, 5000, 100)).toEqual(bytes.slice(5000, 5100));
    expect(mapFile(path, 9990)).toEqual(bytes.slice(9990));
    expect(mapFile(path, 10000)).toHaveLength(0);
    writeFileSync(join(folder, 'empty'), '');
    expect(mapFile(join(folder, 'empty'))).toHaveLength(0);
  });

  it('never writes to the file', () => {
    const path = join(folder, 'kept');
    writeFileSync(path, 'abc');
    mapFile(path).fill(0);
    expect(readFileSync(path, 'utf8')).toBe('abc');
    expect(mapFile(path)).toEqual(new TextEncoder().encode('abc'));
  });

  it('names a file that is missing, or a folder', () => {
    expect(() => mapFile(join(folder, 'none'))).toThrow(StorageError);
    expect(() => mapFile(folder)).toThrow('that is a folder, not a file');
  });
});
