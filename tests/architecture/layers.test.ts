import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
// @ts-expect-error a script without types
import { checkLayers } from '../../scripts/layers.mjs';

/** A src folder of these files. */
function sources(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'layers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const faultsOf = (files: Record<string, string>): string[] => checkLayers(sources(files)).faults;

describe('layers.mjs', () => {
  it('finds no fault in src/', () => {
    expect(checkLayers().faults).toEqual([]);
    expect(checkLayers().files).toBeGreaterThan(100);
  });

  it('lets imports go down, and finds one that goes up', () => {
    expect(faultsOf({ 'core/a.ts': "import { b } from '../base/b.ts';", 'base/b.ts': '' })).toEqual([]);
    expect(faultsOf({ 'core/a.ts': '', 'base/b.ts': "import { a } from '../core/a.ts';" })).toEqual([expect.stringContaining('core lies above base')]);
  });

  it('finds an import between folders of one row', () => {
    expect(faultsOf({ 'nn/a.ts': "export * from '../data/b.ts';", 'data/b.ts': '' })).toEqual([expect.stringContaining('nn and data are strangers')]);
  });

  it('finds circles, of types and inside a folder too', () => {
    const circle = { 'core/a.ts': "import type { B } from './b.ts';", 'core/b.ts': "export { C } from './c.ts';", 'core/c.ts': "const a = import('./a.ts');" };
    expect(faultsOf(circle)).toEqual([expect.stringContaining('src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts')]);
  });

  it('finds node: modules in pure folders, but in their file access', () => {
    const text = "import { readFileSync } from 'node:fs';";
    expect(faultsOf({ 'core/a.ts': text })).toEqual([expect.stringContaining('core must run in a browser')]);
    expect(faultsOf({ 'base/durable.ts': text, 'train/a.ts': text })).toEqual([]);
  });

  it('finds long chains; types and public faces are no step', () => {
    const chain = (n: number, line: (i: number) => string): Record<string, string> => Object.fromEntries(Array.from({ length: n }, (_, i) => [`core/f${i}.ts`, i + 1 < n ? line(i + 1) : '']));
    expect(faultsOf(chain(12, (i) => `import { x } from './f${i}.ts';`))).toEqual([]);
    expect(faultsOf(chain(13, (i) => `import {\n  x,\n  type Y,\n} from './f${i}.ts';`))).toEqual([expect.stringContaining('A chain of 13 imports')]);
    expect(faultsOf(chain(30, (i) => `import type { X } from './f${i}.ts';`))).toEqual([]);
    expect(faultsOf(chain(30, (i) => `import { type X, type Y } from './f${i}.ts';`))).toEqual([]);
  });

  it('finds folders without a row and files that are not there, and reads no comments', () => {
    expect(faultsOf({ 'utils/a.ts': '' })).toEqual([expect.stringContaining('"utils" has no row')]);
    expect(faultsOf({ 'core/a.ts': "import { b } from './b.ts';" })).toEqual([expect.stringContaining('which is not there')]);
    expect(faultsOf({ 'core/a.ts': "// import { x } from 'node:fs';\n/* import '../cli/b.ts' */\n" })).toEqual([]);
  });
});
