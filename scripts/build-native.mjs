// Compiles native/ with the system's C++ compiler: kernels.cc once per instruction set, the rest once, all in parallel;
// a file is compiled again when its own bytes, a header's, the flags or the compiler changed.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fingerprint, readStamp, writeStamp } from './freshness.mjs';
import { GENERATED, writeOpHeader } from './op-header.mjs';
import { BuildError, ROOT } from './project.mjs';

export const NATIVE = join(ROOT, 'native');
const ADDON = join(ROOT, 'build', 'athanor.node');

// Lanes and flags of each instruction set; isa.cc asks the processor for the same features.
export const INSTRUCTION_SETS = {
  x64: {
    avx2: [8, '-mavx2', '-mfma', '-mf16c'],
    avx512: [16, '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma', '-mf16c'],
    avx512bf16: [16, '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512bf16', '-mavx512vnni', '-mavx2', '-mfma', '-mf16c'],
    portable: [4],
  },
  arm64: { neon: [4], portable: [4] },
};

// -ffp-contract=off: a multiply and an add are fused only where the source says fma(), so that a result does not depend
// on how a compiler chose to vectorise. No exception crosses the binding because there are none.
export const FLAGS = ['-std=c++20', '-fPIC', '-pthread', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=off', '-Wall', '-Wextra', '-Wno-psabi', '-Wno-ignored-attributes', '-DNAPI_VERSION=8'];
/** The C++ compiler with what it is, or why there is none. */
export function findCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++', 'c++'];
  for (const name of names) {
    const result = spawnSync(name, ['--version'], { encoding: 'utf8' });
    if (result.status !== 0) continue;
    const version = result.stdout.split('\n')[0] ?? '';
    const major = Number(/(\d+)\.\d+/.exec(version.replace(/\([^)]*\)/, ''))?.[1] ?? 0);
    const least = /clang/i.test(version) ? 11 : 10; // C++20 with std::atomic::wait
    if (major >= least) return { name, version };
    return { problem: `"${name}" is version ${major}, and C++20 needs ${least} or later` };
  }
  return { problem: `none of ${names.map((name) => `"${name}"`).join(', ')} was found` };
}

const listed = (folder, ending) => readdirSync(join(NATIVE, folder)).filter((name) => name.endsWith(ending)).sort().map((name) => join(NATIVE, folder, name));

/** What all files of the runtime may include. */
export const runtimeHeaders = () => [...listed('runtime', '.h'), join(NATIVE, 'cpu', 'isa.h')];

/** What kernels may include, each other among it. */
export const kernelFiles = () => [...listed('cpu', '.h'), ...listed('cpu', '.cc')];

/** A source to compile: flags, and every file whose change makes its object again. */
export function objectOf(source, folder, flags, inputs, name = source.slice(ROOT.length + 1).replace(/[/\\]/g, '-')) {
  return { source, object: join(folder, `${name}.o`), flags: [...FLAGS, ...flags, `-I${GENERATED}`, `-I${join(NATIVE, 'cpu')}`], inputs: [source, ...inputs] };
}

/** The runtime's sources, which know no instruction set. */
export const runtimeObjects = (folder, flags) => listed('runtime', '.cc').map((path) => objectOf(path, folder, flags, runtimeHeaders()));

function addonObjects(folder) {
  const isas = INSTRUCTION_SETS[process.arch];
  if (isas === undefined) throw new BuildError(`The native core does not know the processor architecture "${process.arch}".`);
  const generated = [join(GENERATED, 'ops.h'), join(GENERATED, 'kernels.inc')];
  const kernels = Object.entries(isas).map(([isa, [lanes, ...flags]]) => objectOf(join(NATIVE, 'cpu', 'kernels.cc'), folder, ['-O3', ...flags, `-DATHANOR_ISA=${isa}`, `-DATHANOR_LANES=${lanes}`], [...runtimeHeaders(), ...kernelFiles(), ...generated], `kernels-${isa}`));
  const include = `-I${createRequire(import.meta.url)('node-api-headers').include_dir}`;
  return [
    ...kernels,
    objectOf(join(NATIVE, 'cpu', 'isa.cc'), folder, ['-O3'], [...runtimeHeaders(), ...generated]),
    ...runtimeObjects(folder, ['-O3']),
    ...listed('binding', '.cc').map((path) => objectOf(path, folder, ['-O3', include], [...runtimeHeaders(), ...listed('binding', '.h')])),
  ];
}

/** Hash of all that an object is made from. */
function keyOf(job, compiler, contents) {
  const hash = createHash('sha256').update(`${compiler.name}\n${compiler.version}\n${job.flags.join(' ')}\n`);
  for (const path of job.inputs) {
    if (!contents.has(path)) contents.set(path, readFileSync(path));
    hash.update(path).update('\0').update(contents.get(path));
  }
  return hash.digest('hex');
}

const isCurrent = (path, key) => existsSync(path) && existsSync(`${path}.key`) && readFileSync(`${path}.key`, 'utf8') === key;

/** Runs the compiler; what it makes appears under its name only when complete. */
function compile(compiler, args, output, key) {
  return new Promise((resolve, reject) => {
    const temporary = `${output}.${process.pid}.tmp`;
    const child = spawn(compiler.name, [...args, '-o', temporary], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    child.stderr.on('data', (data) => {
      text += data;
    });
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) {
        if (text !== '') process.stderr.write(text);
        renameSync(temporary, output);
        writeFileSync(`${output}.key`, key);
        resolve();
        return;
      }
      reject(new BuildError(`${text}\n${compiler.version} could not make ${output.slice(ROOT.length + 1)}. If the messages above name a feature of C++20, use g++ 10 or clang 11 or later (CXX=… npm run build); otherwise correct the source and run \`npm run build\` again.`));
    });
  });
}

/** Compiles what is out of date, as many at a time as there are processors. @returns the key of each object */
export async function compileAll(list, compiler) {
  const contents = new Map();
  const keys = list.map((job) => keyOf(job, compiler, contents));
  const stale = list.filter((job, i) => !isCurrent(job.object, keys[i]));
  let next = 0;
  const worker = async () => {
    while (next < stale.length) {
      const job = stale[next++];
      await compile(compiler, [...job.flags, '-c', job.source], job.object, keys[list.indexOf(job)]);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: availableParallelism() }, worker));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return keys;
}

/** Links objects unless the target was made of the same ones. @param keys of the objects */
export async function link(compiler, objects, flags, target, keys) {
  const key = createHash('sha256').update([compiler.version, ...flags, ...keys].join('\n')).digest('hex');
  if (!isCurrent(target, key)) await compile(compiler, [...objects, ...flags], target, key);
}

function linkFlags() {
  return process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread', '-Wl,--gc-sections'];
}

/**
 * Builds build/athanor.node.
 *
 * @param options.ifPossible without a compiler, say so and return
 * @param options.partial leave out kernels whose file is missing
 */
export async function buildNative({ ifPossible, partial }) {
  const now = `${fingerprint('native')} ${readStamp().typescript ?? 'installed'}`;
  if (!partial && readStamp().native === now && existsSync(ADDON)) return;
  const compiler = process.platform === 'win32' ? { problem: 'the native core does not support Windows yet' } : findCompiler();
  if (compiler.problem !== undefined) {
    const message =
      `No native core was built: ${compiler.problem}. Athanor then works with its reference backend in TypeScript, which is exact but hundreds of times slower. Install a C++20 compiler (Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install), then run \`npm run build\`.`;
    if (!ifPossible) throw new BuildError(message);
    console.error(message);
    writeStamp({ native: now, addon: 'no compiler' });
    return;
  }
  await writeOpHeader(partial);
  const folder = join(ROOT, 'build', 'objects');
  mkdirSync(folder, { recursive: true });
  const list = addonObjects(folder);
  const keys = await compileAll(list, compiler);
  await link(compiler, list.map((job) => job.object), linkFlags(), ADDON, keys);
  writeStamp({ native: partial ? 'partial' : now, addon: 'built' });
}
