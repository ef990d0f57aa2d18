// The main job, small: a folder in two languages, to a model that continues it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { athanor, bilingualFolder, jsonLines, start, temporaryFolder, TINY_RECIPE, write } from './command-line.ts';

const cwd = temporaryFolder(), text = bilingualFolder(), recipe = write(join(cwd, 'tiny.yaml'), TINY_RECIPE.replace('  samples: { everySteps: 6 }\n', '  samples: { everySteps: 0 }\n'));

describe('athanor quickstart', () => {
  it('says everything that it promises, within its minutes, and leaves a run that goes on', async () => {
    const dir = join(cwd, 'runs', 'first'), began = performance.now();
    const { code, stdout, stderr } = await athanor(['quickstart', text, '--recipe', recipe, '--minutes', '0.15', '--dir', dir], { cwd });
    expect(code, stderr).toBe(0);
    expect((performance.now() - began) / 1000).toBeLessThan(40); // 9 s were asked for; other tests share the machine
    for (const word of ['held out', 'gzip -9', 'zstd -19', '5-gram', 'this model', 'base model', 'no assistant', 'Go on with:', '[5]', 'truth']) expect(stdout).toContain(word);
    expect(stderr).toMatch(/steps of 64 tokens/);
    expect(existsSync(join(dir, 'model', 'model.safetensors'))).toBe(true);
    const generated = await athanor(['generate', dir, '--prompt', '春天', '--max-tokens', '3', '--json'], { cwd });
    expect(generated.code, generated.stderr).toBe(0);
  });

  it('prints only JSON lines with --json, and chooses the same completions for the same seed', async () => {
    const args = (dir: string): string[] => ['quickstart', text, '--recipe', recipe, '--train.steps', '6', '--dir', join(cwd, dir), '--json'];
    const [a, b] = await Promise.all([athanor(args('a'), { cwd }), athanor(args('b'), { cwd })]);
    expect(a.code, a.stderr).toBe(0);
    const lines = jsonLines(a.stdout), of = (all: Record<string, unknown>[], event: string) => all.filter((line) => line['event'] === event);
    expect(lines.filter(({ step }) => step !== undefined)).toHaveLength(6);
    const [compression] = of(lines, 'compression'), rows = compression!['rows'] as { name: string; bitsPerByte: number | null }[];
    expect(rows.map(({ name }) => name)).toEqual(['gzip -9', 'zstd -19', 'zstd -19, primed', '5-gram', 'this model']);
    for (const { name, bitsPerByte } of rows) if (!name.startsWith('zstd')) expect(bitsPerByte, name).toBeGreaterThan(0);
    expect(of(lines, 'completion')).toHaveLength(5);
    expect(of(lines, 'completion')).toEqual(of(jsonLines(b.stdout), 'completion'));
    expect(of(lines, 'done')).toHaveLength(1);
  });

  it('stopped by Ctrl-C says how to go on, and that works', async () => {
    const dir = join(cwd, 'stopped');
    const { child, ended, lines } = start(['quickstart', text, '--recipe', recipe, '--train.steps', '5000', '--train.validation.everySteps', '0', '--dir', dir, '--json'], { cwd });
    await lines(3); // the data's line and two steps
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(130);
    expect(stderr).toContain(`train --resume --dir ${dir}`);
    const again = start(['train', '--resume', '--dir', dir, '--json'], { cwd });
    await again.lines(1);
    again.child.kill('SIGINT');
    expect((await again.ended).code).toBe(130);
  });
});
