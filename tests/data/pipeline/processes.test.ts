// Worker processes run compiled code, so these tests use dist/, which `npm test` brings up to date first.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { PipelineFolder, prose } from './pipeline-folder.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

let folder: PipelineFolder;
beforeEach(() => {
  folder = new PipelineFolder();
  folder.write(Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`source/${i % 3}/${i}.md`, prose(`p${i % 80}`, 30)])));
});
afterEach(() => folder.remove());

function recipe(data: Record<string, unknown> = {}): string {
  const whole = { seed: 3, data: { sources: [0, 1, 2].map((i) => ({ kind: 'files', name: `s${i}`, path: join(folder.dir, 'source', String(i)) })), ...data }, tokenizer: { kind: 'chars' }, model: 'quickstart', train: { steps: 1 } };
  folder.write({ 'recipe.yaml': stringify(whole) });
  return join(folder.dir, 'recipe.yaml');
}

const build = (file: string, name: string, ...more: string[]): string[] => [MAIN, 'data', 'build', file, '--dir', join(folder.dir, name), ...more];
/** A machine that is busy with other tests may take long to start a process. */
const TIMEOUT_MS = 180_000;

const run = (args: string[]): { status: number | null; stderr: string } => spawnSync(process.execPath, args, { encoding: 'utf8' });

describe('athanor data build with processes', () => {
  it('gives the same bytes for 1 and 3 processes, and after kill -9 at any moment', async () => {
    const file = recipe();
    expect(run(build(file, 'one', '--data.processes', '1'))).toMatchObject({ status: 0 });
    expect(run(build(file, 'three', '--data.processes', '3'))).toMatchObject({ status: 0 });
    const parts = join(folder.dir, 'killed/work/parts'), child = spawn(process.execPath, build(file, 'killed', '--data.processes', '2'), { stdio: 'ignore' });
    const gone = new Promise((resolve) => child.on('exit', resolve));
    while (child.exitCode === null && !(existsSync(parts) && readdirSync(parts).some((name) => name.endsWith('.json')))) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await gone;
    expect(run(build(file, 'killed', '--data.processes', '2'))).toMatchObject({ status: 0 });
    for (const name of ['three', 'killed']) {
      expect(folder.bytes(name)).toEqual(folder.bytes('one'));
      for (const side of ['train', 'validation']) expect(readFileSync(join(folder.dir, name, side, 'shards.json'), 'utf8')).toBe(readFileSync(join(folder.dir, 'one', side, 'shards.json'), 'utf8'));
    }
  }, TIMEOUT_MS);

  it('replaces a worker that dies, skips the unit that killed it, and keeps its neighbours', () => {
    folder.write({ 'killer.mjs': 'export default { name: "killer", judge: () => ({ path }) => { if (path.endsWith("/13.md")) process.kill(process.pid, "SIGKILL"); } };\n' });
    expect(run(build(recipe({ stages: [join(folder.dir, 'killer.mjs')] }), 'out', '--data.processes', '2'))).toMatchObject({ status: 0 });
    const { skipped, after } = JSON.parse(folder.bytes('out')['report.json']!) as { skipped: unknown; after: { documents: number } };
    expect(skipped).toMatchObject({ 'worker-failed': { count: 1, samples: [{ path: '13.md', detail: 'the worker process ended (SIGKILL)' }] } });
    expect(after.documents).toBe(89);
  }, TIMEOUT_MS);
});
