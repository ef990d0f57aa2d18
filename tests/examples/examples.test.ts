// Every example runs as it stands, against the built package.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { bilingualFolder } from '../e2e/command-line.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)), EXAMPLES = join(ROOT, 'examples');
const folder = mkdtempSync(join(tmpdir(), 'athanor-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs an example; Node.js 20 does not read TypeScript, so it is stripped to build/, where `athanor/…` is found. */
function run(name: string, ...args: string[]): string {
  const { outputText } = ts.transpileModule(readFileSync(join(EXAMPLES, `${name}.ts`), 'utf8'), { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext } });
  const out = join(ROOT, 'build', 'examples');
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, `${name}.mjs`), outputText);
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(out, `${name}.mjs`), ...args], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe('examples', () => {
  it('stay short enough to read at a glance, and all are run here', () => {
    const names = readdirSync(EXAMPLES).filter((name) => name.endsWith('.ts')).sort();
    expect(names).toEqual(['01-tokenize.ts', '02-gradient.ts', '03-train.ts', '04-generate.ts']);
    for (const name of names) expect(readFileSync(join(EXAMPLES, name), 'utf8').split('\n').length, name).toBeLessThanOrEqual(61);
  });

  it('01-tokenize gives every text back', () => {
    const lines = run('01-tokenize').trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const [before, , after] = line.split(' → ');
      expect(after).toBe(before);
    }
  });

  it('02-gradient finds loss and gradient', () => {
    expect(run('02-gradient')).toContain('loss 2 gradient [ 2, 2, 2 ]');
  });

  it('03-train and 04-generate make a model and ask it', () => {
    const trained = run('03-train', bilingualFolder(20), folder, '60'), loss = Number(/loss ([\d.]+) after 60 steps/.exec(trained)?.[1]);
    expect(loss).toBeLessThan(5.5); // log(512) = 6.24 knows nothing
    const generated = run('04-generate', join(folder, 'run', 'model'), 'The miller', '春天').trimEnd().split('\n');
    expect(generated).toHaveLength(2);
    expect(generated.some((line) => line.startsWith('"春天" → '))).toBe(true);
  }, 180_000);
});
