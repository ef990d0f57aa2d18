import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
// @ts-expect-error a script without types
import { checkSize } from '../../scripts/size.mjs';

function faultsOf(path: string, text: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'size-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  return checkSize(folder).faults;
}

/** A function of `n` lines in TypeScript or C++. */
const functionOf = (n: number, head: string): string => `${head} {\n${'  f();\n'.repeat(n - 2)}}\n`;

describe('size.mjs', () => {
  it('finds nothing too long here', () => {
    expect(checkSize().faults).toEqual([]);
    expect(checkSize().files).toBeGreaterThan(200);
  });

  it('finds files of more than 500 lines', () => {
    expect(faultsOf('src/a.ts', '//\n'.repeat(500))).toEqual([]);
    expect(faultsOf('src/a.ts', '//\n'.repeat(501))).toEqual(['src/a.ts has 501 lines, and 500 is the most: split it by idea.']);
  });

  it('finds functions of more than 80 lines, methods and arrows among them', () => {
    expect(faultsOf('src/a.ts', functionOf(80, 'function long()'))).toEqual([]);
    expect(faultsOf('src/a.ts', functionOf(81, 'function long()'))).toEqual([expect.stringContaining('src/a.ts:1: long has 81 lines')]);
    expect(faultsOf('src/a.ts', `class A {\n${functionOf(81, '#method(): void')}}`)).toEqual([expect.stringContaining(':2: #method has 81')]);
    expect(faultsOf('scripts/a.mjs', functionOf(81, 'const arrow = () =>'))).toEqual([expect.stringContaining('arrow has 81')]);
  });

  it('finds C++ functions of more than 80 lines, kernels of more than 120', () => {
    const space = (text: string): string => `namespace athanor {\n\n// a { brace }\nconst char* s = "}{";\n\n${text}\n}  // namespace\n`;
    expect(faultsOf('native/runtime/a.cc', space(functionOf(80, 'static int Pool::run(int n) const noexcept')))).toEqual([]);
    expect(faultsOf('native/runtime/a.cc', space(functionOf(81, 'static int Pool::run(int n) const noexcept')))).toEqual([expect.stringContaining('a.cc:6: Pool::run has 81 lines')]);
    expect(faultsOf('native/cpu/a.cc', space(functionOf(120, 'void map(const Call& call)')))).toEqual([]);
    expect(faultsOf('native/cpu/a.cc', space(functionOf(121, 'void map(const Call& call)')))).toEqual([expect.stringContaining('map has 121 lines, and 120')]);
  });
});
