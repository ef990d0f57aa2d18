import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.ts';
import { openToRead, readInto } from '../../src/base/read-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'athanor-read-')), path = join(folder, 'a');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('readInto()', () => {
  it('fills what the file has, at a place or where the last read ended', () => {
    writeFileSync(path, Uint8Array.from({ length: 10 }, (_, i) => i));
    const fd = openToRead('read', path), four = new Uint8Array(4), read = (position: number | null): number[] => [...four.subarray(0, readInto(fd, four, position, 'read', path))];
    expect([read(8), read(null), read(null), read(null), read(null), read(2)]).toEqual([[8, 9], [0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [], [2, 3, 4, 5]]);
    closeSync(fd);
  });

  it('names the action and the file where the system refuses', () => {
    expect(() => openToRead('read the index', join(folder, 'none'))).toThrow(/^Cannot read the index ".*none": there is no such file/);
    const fd = openToRead('read', path);
    closeSync(fd);
    expect(() => readInto(fd, new Uint8Array(1), 0, 'read', path)).toThrow(StorageError);
  });
});
