// Damaged programs of real models, and inputs whose row numbers are wrong: refused, or run without leaving memory.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const CHILD = fileURLToPath(new URL('damaged-child.mjs', import.meta.url));

describe('NativeExecutor.load() and run() of damaged training and decoding programs', () => {
  it.each(['end', 'start'])('never touch the page at the %s of a block of memory', (guard) => {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [CHILD, '1', '3000'], { encoding: 'utf8', env: { ...process.env, ATHANOR_GUARD_PAGES: guard } });
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    const { accepted, refused } = JSON.parse(stdout) as { accepted: number; refused: number };
    expect(accepted).toBeGreaterThan(200);
    expect(refused).toBeGreaterThan(1000);
  });
});
