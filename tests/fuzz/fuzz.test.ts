// Damaged files of every format are read, or refused by name, in time: for some hundred cases in the tests, for minutes by
// `npm run fuzz -- FORMAT --minutes N` (scripts/fuzz.mjs), which says where to begin again: ATHANOR_FUZZ_SEED.

import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, FormatError, NumericsError, StorageError } from '../../src/base/errors.ts';
import { FORMATS } from './formats.ts';
import { Chance } from './mutate.ts';

const { ATHANOR_FUZZ: only, ATHANOR_FUZZ_MINUTES: minutes, ATHANOR_FUZZ_SEED: seeded } = process.env;
const seed = Number(seeded ?? 2026);

/** Cases in the tests: a second or two each. */
const CASES: Readonly<Record<string, number>> = { safetensors: 400, gguf: 150, tokenizer: 150, config: 150, 'chat-template': 12 };

/** What a case may take: V8's young generation is part of it. */
const MAX_MS = 2000, MAX_BYTES = 64e6 + 48e6;

describe.skipIf(only !== undefined && !(only in FORMATS))('fuzz', () => {
  it.each(Object.keys(FORMATS).filter((name) => only === undefined || name === only))('%s: damaged files are read or refused, in time', async (name) => {
    const format = await FORMATS[name]!(), end = minutes === undefined ? Infinity : performance.now() + 60_000 * Number(minutes);
    let cases = 0, refused = 0;
    try {
      for (; minutes === undefined ? cases < CASES[name]! : performance.now() < end; cases++) {
        const bytes = format.make(new Chance(seed, cases)), before = process.memoryUsage.rss(), began = process.cpuUsage();
        let wrong: string | undefined;
        try {
          await format.read(bytes);
        } catch (error) {
          refused++;
          if (![FormatError, ConfigError, StorageError, NumericsError].some((kind) => error instanceof kind)) wrong = `it throws ${(error as Error).stack ?? String(error)}`;
        }
        const { user, system } = process.cpuUsage(began), ms = (user + system) / 1000, grown = process.memoryUsage.rss() - before;
        if (ms > MAX_MS * 2) wrong ??= `it takes ${ms} ms`; // other threads of the test run count too
        if (grown > 4 * bytes.length + MAX_BYTES) wrong ??= `memory grows by ${grown} bytes for ${bytes.length}`;
        if (wrong !== undefined) throw new Error(`case ${cases} of seed ${seed}, kept in "${keep(name, cases, bytes)}": ${wrong}`);
      }
    } finally {
      await format.close();
    }
    if (minutes !== undefined) console.log(`${name}: ${cases} cases of seed ${seed}, ${refused} refused`);
    expect(refused).toBeGreaterThan(cases / 10); // damage must be damage
  }, minutes === undefined ? 60_000 : 60_000 * (Number(minutes) + 1));
});

function keep(name: string, index: number, bytes: Uint8Array): string {
  const folder = join(tmpdir(), 'athanor-fuzz-failures'), path = join(folder, `${name}-${seed}-${index}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, bytes);
  return path;
}
