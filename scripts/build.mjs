// Builds all that is not up to date: dist/ from TypeScript, dist/studio from the chat page's sources, the operator header
// from dist/, build/athanor.node from C++.
// node scripts/build.mjs [--native] [--native-if-possible] [--partial] [--sanitize[=thread|guard]]
//   --native              only the native core
//   --native-if-possible  without a C++ compiler say so and succeed: the reference backend then does the work
//   --partial             leave out kernels whose file is not there yet, to try a new operator before its kernel
//   --sanitize            build and run the native core's own tests, without Node, under AddressSanitizer and
//                         UndefinedBehaviorSanitizer, under ThreadSanitizer, or as released with every operand
//                         against a page that may not be touched (see native-tests.mjs)

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { buildStudio } from './build-studio.mjs';
import { fingerprint, readStamp, writeStamp } from './freshness.mjs';
import { nativeTests } from './native-tests.mjs';
import { BuildError, ROOT } from './project.mjs';

/** Held by one process at a time; a lock whose process is gone is taken over. */
async function withLock(name, work) {
  const lock = join(ROOT, 'build', name);
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const wait = new Int32Array(new SharedArrayBuffer(4));
  for (let told = false;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new BuildError(`Cannot write "${lock}": ${error.message}.`);
    }
    const owner = Number(readIfThere(lock));
    if (owner > 0 && !isAlive(owner)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) console.error(`Another build (process ${owner || '?'}) is at work; waiting for it.`);
    told = true;
    Atomics.wait(wait, 0, 0, 200);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs tsc when a source is newer. An installed package has dist/ and no sources: nothing to do then. */
function buildTypeScript() {
  if (!existsSync(join(ROOT, 'src'))) return;
  const now = fingerprint('typescript');
  if (readStamp().typescript === now && existsSync(join(ROOT, 'dist'))) return;
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(tsc) && existsSync(join(ROOT, 'dist', 'core'))) return; // installed without development packages
  if (!existsSync(tsc)) throw new BuildError('TypeScript is not installed: run `npm install` in this folder, then again.');
  const result = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: ROOT, encoding: 'utf8' });
  if (result.status !== 0) {
    throw new BuildError(`${result.stdout}${result.stderr}\nThe TypeScript sources do not compile: correct what is named above, then run \`npm run build\` again.`);
  }
  writeStamp({ typescript: now });
}

async function build(flags) {
  if (!flags.includes('--native')) {
    buildTypeScript();
    await buildStudio();
  }
  await buildNative({ ifPossible: flags.includes('--native-if-possible'), partial: flags.includes('--partial') });
}

async function main(flags) {
  const known = ['--native', '--native-if-possible', '--sanitize', '--sanitize=thread', '--sanitize=guard', '--partial'];
  const unknown = flags.find((flag) => !known.includes(flag));
  if (unknown !== undefined) throw new BuildError(`Unknown option "${unknown}": there are ${known.join(', ')}.`);
  // The tests have a folder and a lock of their own.
  const flavour = { '--sanitize': 'address', '--sanitize=thread': 'thread', '--sanitize=guard': 'guard' }[flags.find((flag) => flag.startsWith('--sanitize'))];
  if (flavour !== undefined) return withLock('.sanitize.lock', () => nativeTests(flavour));
  return withLock('.lock', () => build(flags));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof BuildError ? error.message : error);
  process.exitCode = 1;
});
