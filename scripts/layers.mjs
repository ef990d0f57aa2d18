// Checks which file imports which: node scripts/layers.mjs (part of `npm run lint`).
// - Imports only go down the rows of LAYERS, never up; folders of one row are strangers to each other.
// - No circles, imports of types included, even inside a folder.
// - No long chains inside a folder. An import of types alone is no step of a chain, nor is a
//   folder's public face, nor what is loaded when it is first used (`import()` in a list of kinds).
// - Pure folders run in a browser: no `node:` import but in the files that FILE_ACCESS names for it.

import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './project.mjs';

/** From the bottom up, as in docs/architecture.md. */
const LAYERS = [
  ['base'],
  ['core'],
  ['tokenizer', 'search', 'backends'],
  ['nn', 'data', 'distributed'],
  ['models'],
  ['train', 'engine'],
  ['eval', 'interp', 'export'],
  ['tune', 'compress'],
  ['safety'],
  ['serve'],
  ['apps'],
  ['cli'],
];

/** Folders without any `node:` import, and those without one outside their file access. */
const PURE = ['core', 'search', 'nn', 'base', 'tokenizer', 'models'];
const FILE_ACCESS = {
  base: ['durable', 'lock', 'read-file'],
  tokenizer: ['files', 'train-parallel', 'count-worker', 'chat-template', 'chat-template-files', 'chat-template-process'],
  models: ['gguf-file', 'hub', 'hub-download', 'model-folder', 'readable-file', 'weight-files'],
};

/** Most files in a chain of imports inside one folder: beyond it nobody can follow what a change reaches. */
const MAX_CHAIN = 12;

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`, outside comments. */
const IMPORT = /(?:^|[;}\s])(?:import|export)\s+(?:([^'";]*?)\sfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;

/** Whether a clause (`type { A }`, `{ type A, type B }`) leaves nothing to run. */
const isTypes = (clause) =>
  /^type\s/.test(clause)
  || (/^\{[^}]*\}$/.test(clause) && clause.slice(1, -1).split(',').every((name) => /^\s*(type\s|$)/.test(name)));

const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

/** Every module under `folder` with what it imports: relative paths resolved to modules, packages as they are. */
export function readImports(folder) {
  const imports = new Map();
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
    const path = name.split(sep).join('/');
    const found = [...withoutComments(readFileSync(join(folder, name), 'utf8')).matchAll(IMPORT)].map(([, clause = '', from, lazily]) => {
      const target = from ?? lazily;
      return { target: target.startsWith('.') ? posix.join(posix.dirname(path), target) : target, types: isTypes(clause.trim()), isLazy: from === undefined && lazily !== undefined };
    });
    imports.set(path, found);
  }
  return imports;
}

const folderOf = (path) => path.split('/')[0];
const rowOf = (folder) => LAYERS.findIndex((row) => row.includes(folder));

/** Imports that go up, sideways, or to nowhere. */
function directionFaults(imports) {
  const faults = [];
  for (const [path, targets] of imports) {
    const from = folderOf(path);
    if (rowOf(from) < 0) faults.push(`src/${path}: the folder "${from}" has no row in scripts/layers.mjs; give it one, or move the file.`);
    for (const { target } of targets) {
      if (!target.endsWith('.ts')) continue;
      const to = folderOf(target);
      if (!imports.has(target)) faults.push(`src/${path} imports src/${target}, which is not there.`);
      else if (to !== from && rowOf(to) === rowOf(from)) faults.push(`src/${path} imports src/${target}: ${from} and ${to} are strangers; let cli pass it as a callback, or move it down.`);
      else if (rowOf(to) > rowOf(from)) faults.push(`src/${path} imports src/${target}: ${to} lies above ${from}; take a callback, or move it down.`);
    }
  }
  return faults;
}

/** `node:` modules and packages of a server in files that must run in a browser. */
function purityFaults(imports) {
  const faults = [];
  for (const [path, targets] of imports) {
    const folder = folderOf(path), stem = path.slice(folder.length + 1, -'.ts'.length);
    if (!PURE.includes(folder) || FILE_ACCESS[folder]?.includes(stem)) continue;
    const node = targets.find(({ target }) => target.startsWith('node:'));
    if (node !== undefined) faults.push(`src/${path} imports ${node.target}: ${folder} must run in a browser; keep file access in a file of its own, named in scripts/layers.mjs.`);
  }
  return faults;
}

/** Circles. Depth first: a file of the stack that is met again closes one. */
function circleFaults(imports) {
  const faults = [], done = new Set(), stack = [];
  const visit = (path) => {
    if (done.has(path) || !imports.has(path)) return;
    const open = stack.indexOf(path);
    if (open >= 0) {
      faults.push(`Import circle: ${[...stack.slice(open), path].map((file) => `src/${file}`).join(' → ')}. Move what both need into a file of its own.`);
      return;
    }
    stack.push(path);
    for (const { target } of imports.get(path)) visit(target);
    stack.pop();
    done.add(path);
  };
  for (const path of imports.keys()) visit(path);
  return faults;
}

/** The longest chain of imports inside a folder, types and public faces not counted. */
function longestChain(imports) {
  const chains = new Map();
  const chainFrom = (path) => {
    const known = chains.get(path);
    if (known !== undefined) return known;
    chains.set(path, []); // a circle, found elsewhere, ends here
    let longest = [];
    for (const { target, types, isLazy } of imports.get(path)) {
      if (types || isLazy || !imports.has(target) || folderOf(target) !== folderOf(path)) continue;
      const chain = chainFrom(target);
      if (chain.length > longest.length) longest = chain;
    }
    const chain = posix.basename(path) === 'index.ts' ? longest : [path, ...longest];
    chains.set(path, chain);
    return chain;
  };
  return [...imports.keys()].map(chainFrom).reduce((a, b) => (b.length > a.length ? b : a), []);
}

/** @returns what is wrong under a src folder, a sentence each, and the longest chain */
export function checkLayers(folder = join(ROOT, 'src')) {
  const imports = readImports(folder), longest = longestChain(imports);
  const faults = [...directionFaults(imports), ...purityFaults(imports), ...circleFaults(imports)];
  if (longest.length > MAX_CHAIN) faults.push(`A chain of ${longest.length} imports, and ${MAX_CHAIN} is the most: ${longest.join(' → ')}. Something in it wants to stand lower.`);
  return { faults, files: imports.size, longest };
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { faults, files, longest } = checkLayers();
  for (const fault of faults) console.error(fault);
  console.log(`${files} files, ${faults.length} faults in imports; the longest chain has ${longest.length}: ${longest.map((path) => path.slice(0, -'.ts'.length)).join(' → ')}.`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
