// What may go wrong: kills, Ctrl-C, damaged files, bad input. Nothing is lost or half-written, and the message says what to do.

import { chmodSync, existsSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { athanor, bilingualFolder, jsonLines, read, start, temporaryFolder, TINY_RECIPE, write } from './command-line.ts';
import { openToAll, UNPRIVILEGED, whyNotUnprivileged } from '../unprivileged.ts';

const cwd = temporaryFolder();
let recipe: string, data: string;

beforeAll(async () => {
  recipe = write(join(cwd, 'tiny.yaml'), TINY_RECIPE);
  data = join(cwd, 'data');
  const { code, stderr } = await athanor(['data', 'build', recipe, '--data.path', bilingualFolder(), '--dir', data], { cwd });
  expect(code, stderr).toBe(0);
});

const losses = (dir: string): unknown[] => jsonLines(read(join(dir, 'metrics.jsonl'))).map(({ step, loss, valLoss }) => [step, loss, valLoss]);

/** Many steps, so that there is time to be stopped in; nothing else that takes time. */
const LONG = ['--train.steps', '4000', '--train.samples.everySteps', '0', '--train.validation.everySteps', '0', '--train.checkpoint.everySteps', '20'];

describe('athanor train', () => {
  it('killed at any moment and resumed gives the same losses and weights as one that was never stopped', async () => {
    const steady = join(cwd, 'steady'), killed = join(cwd, 'killed'), steps = ['--train.steps', '60', '--train.samples.everySteps', '0'];
    const whole = await athanor(['train', recipe, '--data.dir', data, '--dir', steady, ...steps], { cwd });
    expect(whole.code, whole.stderr).toBe(0);
    for (const lines of [6, 13]) {
      const { child, ended, lines: wait } = start(['train', recipe, '--data.dir', data, '--dir', killed, '--resume', '--json', ...steps], { cwd });
      await Promise.race([wait(lines), ended]).catch(() => undefined);
      child.kill('SIGKILL');
      await ended;
    }
    const rest = await athanor(['train', '--resume', '--dir', killed, '--data.dir', data], { cwd });
    expect(rest.code, rest.stderr).toBe(0);
    expect(losses(killed)).toEqual(losses(steady));
    const weights = (dir: string): Buffer => readFileSync(join(dir, 'model', 'model.safetensors'));
    expect(weights(killed).equals(weights(steady))).toBe(true);
  }, 180_000); // four runs, and a busy machine

  it('stopped by Ctrl-C ends with 130, and goes on', async () => {
    const dir = join(cwd, 'interrupted');
    const { child, ended, lines } = start(['train', recipe, '--data.dir', data, '--dir', dir, '--json', ...LONG], { cwd });
    await lines(3);
    child.kill('SIGINT');
    const { code, stderr, stdout } = await ended, done = jsonLines(stdout).length;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain('everything is saved');
    const { child: second, ended: end, lines: more } = start(['train', '--resume', '--dir', dir, '--data.dir', data, '--json'], { cwd });
    await more(2);
    second.kill('SIGINT');
    const after = await end;
    expect(after.code).toBe(130);
    expect(jsonLines(after.stdout)[0]).toMatchObject({ step: done + 1 });
  });

  it('refuses a folder that another process works in', async () => {
    const dir = join(cwd, 'shared');
    const { child, ended, lines } = start(['train', recipe, '--data.dir', data, '--dir', dir, '--json', ...LONG], { cwd });
    await lines(1);
    const second = await athanor(['train', recipe, '--data.dir', data, '--dir', dir, '--resume', ...LONG], { cwd });
    child.kill('SIGINT');
    await ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/process \d+ works in it/);
  });

  it('leaves a damaged checkpoint out and names it', async () => {
    const dir = join(cwd, 'damaged');
    expect((await athanor(['train', recipe, '--data.dir', data, '--dir', dir, '--train.checkpoint.everySteps', '4'], { cwd })).code).toBe(0);
    truncateSync(join(dir, 'checkpoints', 'step-000012', 'model.safetensors'), 100);
    const { code, stderr } = await athanor(['train', '--resume', '--dir', dir, '--data.dir', data], { cwd });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/step-000012 is damaged[\s\S]*Going on after step 8/);
    truncateSync(join(dir, 'model', 'model.safetensors'), 100);
    const broken = await athanor(['generate', join(dir, 'model'), '--prompt', 'a'], { cwd });
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('model.safetensors');
  });
});

describe('bad input gives one paragraph with a remedy', () => {
  const refused = async (args: readonly string[], code: number, ...words: string[]): Promise<void> => {
    const ended = await athanor(args, { cwd });
    expect(ended.code, ended.stderr).toBe(code);
    for (const word of words) expect(ended.stderr).toContain(word);
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  };

  it('an empty folder', async () => {
    const empty = join(cwd, 'empty');
    mkdirSync(empty);
    await refused(['data', 'build', recipe, '--data.path', empty, '--dir', join(cwd, 'd1')], 2, empty, 'there are no files');
    await refused(['quickstart', empty, '--dir', join(cwd, 'q1')], 2, empty);
  });

  it('a folder of binaries', async () => {
    const folder = join(cwd, 'binaries');
    for (let i = 0; i < 3; i++) write(join(folder, `${i}.bin`), Uint8Array.from({ length: 5000 }, (_, k) => (k * k * 31 + i) % 256));
    await refused(['data', 'build', recipe, '--data.path', folder, '--dir', join(cwd, 'd2')], 2, 'no text is left of 3 files');
  });

  it('a folder that is not there, and a file that is no recipe', async () => {
    await refused(['data', 'build', recipe, '--data.path', join(cwd, 'nowhere'), '--dir', join(cwd, 'd3')], 1, 'nowhere');
    await refused(['plan', join(cwd, 'nowhere.yaml')], 1, 'nowhere.yaml');
    await refused(['plan', write(join(cwd, 'bad.yaml'), 'train: {steps: 3\nmodel: x\n')], 2, 'bad.yaml', 'line');
    await refused(['plan', write(join(cwd, 'list.yaml'), '- 1\n')], 2, 'list.yaml');
  });

  it('an unknown key, with its line and the nearest known one', async () => {
    const file = write(join(cwd, 'key.yaml'), TINY_RECIPE.replace('  batchSize: 2', '  batchsize: 2'));
    await refused(['plan', file], 2, 'key.yaml, line 10', 'did you mean "batchSize"?');
  });

  it('shapes that do not fit: which number does not divide which', async () => {
    await refused(['plan', recipe, '--model.num_attention_heads', '5'], 2, '32', '5');
    await refused(['plan', recipe, '--train.microBatchSize', '3'], 2, 'train.microBatchSize 3 must divide train.batchSize 2');
    await refused(['plan', recipe, '--train.contextLength', '128'], 2, '128', '64');
  });

  const unable = whyNotUnprivileged();
  it.skipIf(unable !== undefined)(`a read-only folder${unable === undefined ? '' : ` (skipped: ${unable})`}`, async () => {
    const folder = join(cwd, 'locked');
    mkdirSync(folder);
    chmodSync(folder, 0o555);
    openToAll(cwd);
    const { code, stderr } = await athanor(['train', recipe, '--data.dir', data, '--dir', join(folder, 'run')], { cwd, ...UNPRIVILEGED });
    expect(code, stderr).toBe(1);
    for (const word of [folder, 'permission denied']) expect(stderr).toContain(word);
  });

  it('a file where a folder should be', async () => {
    const file = write(join(cwd, 'file'), '');
    await refused(['train', recipe, '--data.dir', data, '--dir', join(file, 'run')], 1, 'file, not a folder');
    expect(existsSync(file)).toBe(true);
  });
});
