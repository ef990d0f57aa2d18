// Formats TypeScript and JavaScript: `node scripts/format.mjs` rewrites, `--check` names files that differ and fails.
// dprint keeps the line breaks that an author chose, so that a table in code stays a table; it settles the rest.

import { createFromBuffer } from '@dprint/formatter';
import { getPath } from '@dprint/typescript';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './project.mjs';

const GLOBAL = { indentWidth: 2, lineWidth: 320, useTabs: false, newLineKind: 'lf' };
const TYPESCRIPT = {
  quoteStyle: 'preferSingle',
  quoteProps: 'asNeeded',
  'arrowFunction.useParentheses': 'force',
  useBraces: 'maintain',
  singleBodyPosition: 'maintain',
  bracePosition: 'sameLine',
  nextControlFlowPosition: 'sameLine',
  operatorPosition: 'maintain',
  preferHanging: true,
  'arguments.preferHanging': 'always',
  'parameters.preferHanging': 'always',
  'module.sortImportDeclarations': 'maintain',
  'module.sortExportDeclarations': 'maintain',
  'importDeclaration.sortNamedImports': 'maintain',
  'exportDeclaration.sortNamedExports': 'maintain',
};

const formatter = createFromBuffer(readFileSync(getPath()));
formatter.setConfig(GLOBAL, TYPESCRIPT);
const problems = formatter.getConfigDiagnostics();
if (problems.length > 0) throw new Error(`scripts/format.mjs: ${JSON.stringify(problems)}`);

const isCheck = process.argv.includes('--check');
const files = execFileSync('git', ['ls-files', '*.ts', '*.mjs'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
const different = files.filter((filePath) => {
  const path = join(ROOT, filePath), fileText = readFileSync(path, 'utf8'), formatted = formatter.formatText({ filePath, fileText });
  if (formatted === fileText) return false;
  if (!isCheck) writeFileSync(path, formatted);
  return true;
});
for (const path of different) console.log(`${isCheck ? 'not formatted' : 'formatted'}: ${path}`);
console.log(`${files.length} files, ${different.length} ${isCheck ? 'not formatted' : 'formatted'}.`);
if (isCheck && different.length > 0) {
  console.error('Run `npm run format`.');
  process.exitCode = 1;
}
