// Checks that files and functions stay small enough to read: node scripts/size.mjs (part of `npm run lint`).
// A file stops at 500 lines, a function at 80, a kernel's function at 120; over that a noun is missing.
// TypeScript and JavaScript are parsed; in C++ a function is a block whose head looks like one.

import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { ROOT } from './project.mjs';

const FILE_LINES = 500;
const FUNCTION_LINES = 80;
const KERNEL_LINES = 120;

/** Where sources are. A test's describe() is a list, not a function; so tests keep only the limit on files. */
const FOLDERS = ['src', 'native', 'scripts', 'tests', 'bench', 'examples', 'studio'];

const linesOf = (text) => (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n').length;

/** Functions of a TypeScript or JavaScript source with their lines. */
function scriptFunctions(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true), found = [];
  const lineAt = (position) => source.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      const name = node.name?.getText() ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : 'a function');
      const first = lineAt(node.getStart()), last = lineAt(node.end);
      found.push({ name, first, lines: last - first + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** C++ without comments, strings and characters; lines stay where they are. */
const bareCpp = (text) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/\/\/.*$/gm, '')
    .replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'/g, '0');

/** A parameter list, then words (const, noexcept), a result type or an initialiser list; `struct alignas(64) S` is none. */
const FUNCTION_HEAD = /\)[\s\w:<>*&,()-]*$/;
const NO_FUNCTION = /^(?:template\s*<[^{]*>\s*)?(?:struct|class|enum|union|namespace)\b/;

/** Functions of a C++ source: outermost blocks whose head ends like a parameter list, inside namespaces and classes. */
function cppFunctions(text) {
  const found = [], stack = [];
  let head = '', line = 1, headLine = 1;
  for (const char of bareCpp(text)) {
    if (char === '\n') line++;
    if (char === '{') {
      const isFunction = FUNCTION_HEAD.test(head) && !NO_FUNCTION.test(head) && !stack.some((block) => block.isFunction);
      stack.push({ isFunction, name: /([\w~:]+)\s*\(/.exec(head)?.[1] ?? 'a function', first: headLine });
    } else if (char === '}') {
      const block = stack.pop();
      if (block?.isFunction) found.push({ name: block.name, first: block.first, lines: line - block.first + 1 });
    }
    if ('{};'.includes(char)) head = '';
    else if (head !== '' || !/\s/.test(char)) {
      if (head === '') headLine = line;
      head += char;
    }
  }
  return found;
}

/** What is too long under a folder, a sentence each. */
export function checkSize(root = ROOT) {
  const faults = [];
  let files = 0;
  for (const folder of FOLDERS) {
    let names = [];
    try {
      names = readdirSync(join(root, folder), { recursive: true });
    } catch {
      continue; // not there yet
    }
    for (const name of names) {
      const path = `${folder}/${name.split(sep).join('/')}`, isCpp = /\.(cc|h)$/.test(name);
      if ((!isCpp && !/\.(ts|mjs)$/.test(name)) || /(^|\/)(node_modules|dist|fixtures)\//.test(path)) continue;
      files++;
      const text = readFileSync(join(root, path), 'utf8'), lines = linesOf(text);
      if (lines > FILE_LINES) faults.push(`${path} has ${lines} lines, and ${FILE_LINES} is the most: split it by idea.`);
      if (folder === 'tests') continue;
      const most = path.startsWith('native/cpu/') || path.startsWith('native/lab/') ? KERNEL_LINES : FUNCTION_LINES;
      for (const { name: own, first, lines: length } of isCpp ? cppFunctions(text) : scriptFunctions(path, text)) {
        if (length > most) faults.push(`${path}:${first}: ${own} has ${length} lines, and ${most} is the most: name a part of it.`);
      }
    }
  }
  return { faults, files };
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { faults, files } = checkSize();
  for (const fault of faults) console.error(fault);
  console.log(`${files} files, ${faults.length} too long, or with too long a function.`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
