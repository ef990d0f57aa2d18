import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/base/errors.ts';
import { IgnoreRules } from '../../src/data/ignore.ts';
import { walk, type WalkOptions } from '../../src/data/walk.ts';
import { openToAll, runUnprivileged, whyNotUnprivileged } from '../unprivileged.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-walk-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function files(entries: Record<string, string> | string[]): void {
  for (const [path, text] of Array.isArray(entries) ? entries.map((p) => [p, 'x'] as const) : Object.entries(entries)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
}

const found = (options?: WalkOptions): string[] => [...walk(dir, options)].map((file) => file.relative);
const hasGit = spawnSync('git', ['--version']).status === 0;

describe('IgnoreRules', () => {
  const cases: [string, string, boolean, boolean | undefined][] = [
    ['*.log', 'a/b.log', false, true],
    ['*.log', 'a/b.logs', false, undefined],
    ['/a', 'b/a', false, undefined],
    ['/a', 'a', false, true],
    ['a/b', 'x/a/b', false, undefined],
    ['**/a/b', 'x/y/a/b', false, true],
    ['a/**/b', 'a/b', false, true],
    ['a/**/b', 'a/x/y/b', false, true],
    ['a/**', 'a', true, undefined],
    ['a/**', 'a/x/y', false, true],
    ['build/', 'build', false, undefined],
    ['build/', 'x/build', true, true],
    ['\\#a', '#a', false, true],
    ['# a', '# a', false, undefined],
    ['\\!a', '!a', false, true],
    ['a ', 'a', false, true],
    ['a\\ ', 'a ', false, true],
    ['[a-c]x', 'bx', false, true],
    ['[!a-c]x', 'bx', false, undefined],
    ['[]x]', ']', false, true],
    ['[a', '[a', false, undefined],
    ['[[:digit:]]', '7', false, true],
    ['?', '中', false, true],
    ['?', '😀', false, true],
    ['文*', '文档', false, true],
    ['a*b*c', 'aXbYbc', false, true],
    ['*.log\n!keep.log', 'keep.log', false, false],
    ['!keep.log\n*.log', 'keep.log', false, true],
    ['\ufeffa', 'a', false, true],
    ['', 'a', false, undefined],
  ];
  for (const [text, path, isFolder, expected] of cases) {
    it(`match() of ${JSON.stringify(text)} with ${path}${isFolder ? '/' : ''} is ${expected}`, () => {
      expect(new IgnoreRules(text).match(path, isFolder)).toBe(expected);
    });
  }

  it('match() takes bounded time on hostile patterns', () => {
    const rules = new IgnoreRules(`${'*a'.repeat(2000)}b\n${'**/a/'.repeat(500)}b\n`), start = performance.now();
    expect(rules.match(`${'a/'.repeat(300)}${'a'.repeat(5000)}`, false)).toBe(undefined);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('walk()', () => {
  it('returns the same order whatever the order of creation, with sizes', () => {
    files(['b/2', 'a', 'b/10', 'b.txt', 'B', '中/文', 'é']);
    expect(found()).toEqual(['B', 'a', 'b/10', 'b/2', 'b.txt', 'é', '中/文']);
    expect([...walk(dir)].every((file) => file.bytes === 1)).toBe(true);
  });

  it.skipIf(!hasGit)('obeys nested .gitignore files exactly as git does, on random trees', () => {
    // ASCII only: `?` and classes match a character here, and a byte in git.
    const name = fc.constantFrom('a', 'b', 'ab', 'a.js', 'b.md', 'x y');
    const piece = fc.constantFrom('a', 'b', '*', '**', '?', 'a*', '*.js', '[ab]', '[!a]*', 'ab', '\\a', 'x\\ y', '*b*', '**b');
    const pattern = fc.tuple(fc.constantFrom('', '', '!', '/'), fc.array(piece, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '', '/'))
      .map(([prefix, pieces, suffix]) => prefix + pieces.join('/') + suffix);
    const path = fc.array(name, { minLength: 1, maxLength: 4 });
    const ignores = fc.array(fc.tuple(fc.array(name, { maxLength: 2 }), fc.array(pattern, { minLength: 1, maxLength: 4 })), { minLength: 1, maxLength: 3 });
    let compared = 0;
    fc.assert(fc.property(fc.array(path, { minLength: 5, maxLength: 25 }), ignores, (paths, rules) => {
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(dir);
      const create = (segments: string[], text: string): void => {
        try {
          files({ [segments.join('/')]: text });
        } catch { /* a file stands where a folder would be */ }
      };
      for (const segments of paths) create(segments, 'x');
      for (const [folder, patterns] of rules) create([...folder, '.gitignore'], patterns.join('\n'));
      execFileSync('git', ['init', '-q', '--template=', dir]);
      const listed = execFileSync('git', ['-c', 'core.excludesFile=/dev/null', 'ls-files', '-z', '--others', '--exclude-standard'], { cwd: dir, encoding: 'utf8' });
      const expected = listed.split('\0').filter(Boolean).sort();
      compared += expected.length;
      expect(found({ exclude: ['.git/'] }).sort()).toEqual(expected);
    }), { numRuns: 60, seed: 5 });
    expect(compared).toBeGreaterThan(200);
  });

  it('does not enter an excluded folder, even where a rule takes a file in it back', () => {
    files({ '.gitignore': 'out/\n!out/keep', 'out/keep': '', src: '' });
    expect(found()).toEqual(['.gitignore', 'src']);
  });

  it('leaves out version control, packages, lock files and secrets by default, whatever a .gitignore takes back', () => {
    files({ '.git/config': '', 'node_modules/a/index.js': '', 'x/package-lock.json': '', 'yarn.lock': '', '.env': '', 'a.min.js': '', 'a.js': '', 'x/.gitignore': '!package-lock.json' });
    expect(found()).toEqual(['a.js', 'x/.gitignore']);
    expect(found({ exclude: [], gitignore: false }).length).toBe(8);
  });

  it('takes only what include names, and reports the rest', () => {
    files(['a.md', 'b.js', 'c/d.d.ts', 'c/e.ts', 'c/f.bin']);
    const skipped: string[] = [];
    expect(found({ include: ['*.md', '*.ts', '!*.d.ts'], onSkip: (path, reason) => skipped.push(`${path} ${reason}`) })).toEqual(['a.md', 'c/e.ts']);
    expect(skipped).toEqual(['b.js not-included', 'c/d.d.ts not-included', 'c/f.bin not-included']);
  });

  it.skipIf(process.platform === 'win32')('is safe with symbolic links in circles, followed or not', () => {
    files(['a/x', 'b/y']);
    symlinkSync('..', join(dir, 'a', 'loop'));
    symlinkSync(join(dir, 'b'), join(dir, 'a', 'to-b'));
    symlinkSync('nowhere', join(dir, 'broken'));
    symlinkSync('self', join(dir, 'self'));
    symlinkSync(join(dir, 'a', 'x'), join(dir, 'x'));
    expect(found()).toEqual(['a/x', 'b/y']);
    expect(found({ followLinks: true })).toEqual(['a/to-b/y', 'a/x', 'x']);
  });

  it.skipIf(process.platform === 'win32')('skips pipes instead of waiting for them', () => {
    files(['a']);
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const skipped: string[] = [];
    expect(found({ onSkip: (path, reason) => skipped.push(`${path} ${reason}`) })).toEqual(['a']);
    expect(skipped).toEqual(['pipe not-a-file']);
  });

  const unable = whyNotUnprivileged();
  it.skipIf(unable !== undefined)(`skips folders that it may not read${unable === undefined ? '' : ` (skipped: ${unable})`}`, () => {
    files(['a', 'closed/b']);
    openToAll(dir);
    chmodSync(join(dir, 'closed'), 0);
    const said = runUnprivileged(`const { walk } = await dist('data/walk.js'), skipped = [];
      const found = [...walk(${JSON.stringify(dir)}, { onSkip: (path, reason) => skipped.push(path + ' ' + reason) })].map((file) => file.relative);
      console.log(JSON.stringify({ found, skipped }));`);
    chmodSync(join(dir, 'closed'), 0o700);
    expect(JSON.parse(said)).toEqual({ found: ['a'], skipped: ['closed unreadable'] });
  });

  it('returns a single file as it is, and names a missing one', () => {
    files(['a.txt']);
    expect([...walk(join(dir, 'a.txt'))].map((f) => [f.relative, f.bytes])).toEqual([['a.txt', 1]]);
    expect(() => [...walk(join(dir, 'missing'))]).toThrow(StorageError);
  });
});
