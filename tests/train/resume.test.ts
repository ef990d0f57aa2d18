// Runs that end in the middle: killed, out of disk, with damaged checkpoints.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { FormatError, StorageError } from '../../src/base/errors.ts';
import { Random } from '../../src/base/random.ts';
import { readMetrics, train, type TrainEvent, type TrainOptions } from '../../src/train/index.ts';
import { smallConfig, temporaryFolder, tinyModel, writeTokens } from './small-run.ts';

const CHILD = fileURLToPath(new URL('./train-child.mjs', import.meta.url));
const root = temporaryFolder(), shards = writeTokens(join(root, 'tokens'));

async function run(dir: string, options: Partial<TrainOptions> = {}): Promise<TrainEvent[]> {
  const executor = NativeExecutor.open({ threads: 2 }), events: TrainEvent[] = [];
  try {
    await train({ dir, model: tinyModel(), config: smallConfig(), executor, data: { train: shards }, resume: true, onEvent: (event) => events.push(event), ...options });
    return events;
  } finally {
    await executor.close();
  }
}

const lossesOf = (dir: string): unknown[] => readMetrics(join(dir, 'metrics.jsonl')).map(({ step, loss, lr, gradNorm, valLoss, tokens }) => ({ step, loss, lr, gradNorm, valLoss, tokens }));
const weightsOf = (dir: string): Buffer => readFileSync(join(dir, 'model', 'model.safetensors'));

describe('a run that is killed', () => {
  const section = JSON.stringify({ steps: 60, batchSize: 4, microBatchSize: 2, contextLength: 16, schedule: { warmupSteps: 5 }, validation: { everySteps: 10, batches: 2 }, checkpoint: { everySteps: 3 } });

  /** Kills the child `delayMs` after its first step, or lets it finish. @returns its exit code, null if it was killed */
  function child(dir: string, delayMs: number): Promise<number | null> {
    const process_ = spawn(process.execPath, [CHILD, dir, join(root, 'tokens'), section], { stdio: ['ignore', 'pipe', 'inherit'] });
    process_.stdout.once('data', () => {
      if (Number.isFinite(delayMs)) setTimeout(() => process_.kill('SIGKILL'), delayMs);
    });
    return new Promise((resolve) => process_.on('close', (code) => resolve(code)));
  }

  it.skipIf(!existsSync(new URL('../../dist/train/index.js', import.meta.url)))('and gone on with gives the same losses and weights, bit for bit', async () => {
    const straight = join(root, 'straight'), killed = join(root, 'killed'), random = new Random(11, 'kill');
    expect(await child(straight, Infinity)).toBe(0);
    let kills = 0;
    for (;;) {
      const code = await child(killed, kills < 8 ? random.int(160) : Infinity); // random moments; a checkpoint takes much of the time
      if (code === 0) break;
      expect(code).toBeNull();
      kills++;
    }
    expect(kills).toBeGreaterThan(3);
    expect(lossesOf(killed)).toEqual(lossesOf(straight));
    expect(weightsOf(killed).equals(weightsOf(straight))).toBe(true);
    expect(readdirSync(join(killed, 'checkpoints')).sort()).toEqual(readdirSync(join(straight, 'checkpoints')).sort());
  }, 120_000);
});

describe('a damaged checkpoint', () => {
  const whole = join(root, 'whole'), file = (dir: string, step: number, name: string): string => join(dir, 'checkpoints', `step-${String(step).padStart(6, '0')}`, name);
  let copies = 0;
  const copy = async (): Promise<string> => {
    if (!existsSync(whole)) await run(whole);
    const dir = join(root, `copy-${copies++}`);
    cpSync(whole, dir, { recursive: true });
    return dir;
  };
  const flip = (path: string, at: number): void => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };

  it.each([
    ['one bit of the weights', (dir: string) => flip(file(dir, 12, 'model.safetensors'), 40_000)],
    ['weights that are cut short', (dir: string) => truncateSync(file(dir, 12, 'model.safetensors'), 5000)],
    ['one bit of the moments', (dir: string) => flip(file(dir, 12, 'training/moments.safetensors'), 90_000)],
    ['no moments', (dir: string) => rmSync(file(dir, 12, 'training/moments.safetensors'))],
    ['an empty state', (dir: string) => truncateSync(file(dir, 12, 'training/state.json'), 0)],
    ['no list of checksums', (dir: string) => rmSync(file(dir, 12, 'checkpoint.json'))],
    ['half a list of checksums', (dir: string) => truncateSync(file(dir, 12, 'checkpoint.json'), 100)],
    ['an empty folder', (dir: string) => {
      rmSync(file(dir, 12, ''), { recursive: true });
      mkdirSync(file(dir, 12, ''));
    }],
  ])('is named, and the one before is used: %s', async (_name, damage) => {
    const dir = await copy();
    damage(dir);
    const events = await run(dir);
    expect(events[0]).toMatchObject({ kind: 'damaged', step: 12 });
    expect((events[0] as { why: string }).why).toContain('step-000012');
    expect(events[1]).toMatchObject({ kind: 'resumed', step: 9 });
    expect(lossesOf(dir)).toEqual(lossesOf(whole));
    expect(weightsOf(dir).equals(weightsOf(whole))).toBe(true);
  });

  it('ends the run if there is no whole one', async () => {
    const dir = await copy();
    for (const step of [9, 12]) flip(file(dir, step, 'model.safetensors'), 40_000);
    const error: unknown = await run(dir).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toMatch(/none of its 2 checkpoints is whole .*step-000012.*step-000009/);
  });

  it('is not made of what a killed run left half-written', async () => {
    const dir = await copy(), checkpoints = join(dir, 'checkpoints');
    cpSync(join(checkpoints, 'step-000012'), join(checkpoints, '.step-000015.draft'), { recursive: true });
    cpSync(join(checkpoints, 'step-000012'), join(checkpoints, '.step-000012.old'), { recursive: true });
    rmSync(join(checkpoints, 'step-000012'), { recursive: true }); // killed between two renames
    expect((await run(dir))[0]).toMatchObject({ kind: 'resumed', step: 12 });
    expect(readdirSync(checkpoints).sort()).toEqual(['step-000009', 'step-000012']);
  });
});

describe('a full disk', () => {
  const mount = join(root, 'small-disk');
  mkdirSync(mount);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=900k', 'tmpfs', mount]).status === 0; // only root may
  afterAll(() => {
    if (mounted) spawnSync('umount', [mount]);
  });

  it.skipIf(!mounted)('ends the run with a remedy; the checkpoints before are whole, and it goes on when there is room', async () => {
    const straight = join(root, 'roomy'), dir = join(mount, 'run'), config = smallConfig({ checkpoint: { everySteps: 3, keep: 9 } });
    await run(straight, { config });
    const error: unknown = await run(dir, { config }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(StorageError);
    expect(String(error)).toContain('the disk is full: free some space');
    const left = readdirSync(join(dir, 'checkpoints'));
    expect(left.length).toBeGreaterThan(0);
    expect(left.every((name) => name.startsWith('step-'))).toBe(true);
    expect(spawnSync('mount', ['-o', 'remount,size=20m', mount]).status).toBe(0);
    const events = await run(dir, { config });
    expect(events[0]).toMatchObject({ kind: 'resumed' });
    expect(lossesOf(dir)).toEqual(lossesOf(straight));
    expect(weightsOf(dir).equals(weightsOf(straight))).toBe(true);
  });
});
