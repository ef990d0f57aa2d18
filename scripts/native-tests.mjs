// The native core's own tests as programs without Node, under a sanitizer, or as they are released between guard pages:
// tests/native/runtime is one program, each tests/native/*.cc is one for every instruction set of this processor (it
// includes the kernels that it checks).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { INSTRUCTION_SETS, NATIVE, compileAll, findCompiler, kernelFiles, link, objectOf, runtimeHeaders, runtimeObjects } from './build-native.mjs';
import { BuildError, ROOT } from './project.mjs';

const TESTS = join(ROOT, 'tests', 'native');
const DEBUG = ['-O1', '-g1', '-fno-omit-frame-pointer']; // lines for reports, no variables: a third less to compile
/**
 * Flags of the compiler, of the linker, and the environments to run in. Races do not depend on the instruction set, and
 * ThreadSanitizer is slow: one is enough. Guard pages are for the released code of the best set; AddressSanitizer sees all.
 */
const FLAVOURS = {
  address: { compile: [...DEBUG, '-fsanitize=address,undefined', '-fno-sanitize=null,object-size', '-fno-sanitize-recover=all'], link: ['-fsanitize=address,undefined'], runs: [{}] },
  thread: { compile: [...DEBUG, '-fsanitize=thread'], link: ['-fsanitize=thread'], runs: [{}], isas: 1 },
  guard: { compile: ['-O3'], link: [], runs: [{ ATHANOR_GUARD_PAGES: 'end' }, { ATHANOR_GUARD_PAGES: 'start' }], isas: 1 },
};

const listed = (folder) => readdirSync(folder).filter((name) => /\.(cc|h)$/.test(name)).sort().map((name) => join(folder, name));

/** Instruction sets that this processor can run, by the flags that Linux names; elsewhere only the portable one. */
function usableIsas() {
  const features = { avx2: ['avx2', 'fma', 'f16c'], avx512: ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'], avx512bf16: ['avx512_bf16', 'avx512_vnni'] };
  const cpu = process.platform === 'linux' ? new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? []) : new Set();
  return Object.entries(INSTRUCTION_SETS[process.arch] ?? {}).filter(([isa]) => isa === 'portable' || isa === 'neon' || features[isa]?.every((feature) => cpu.has(feature)));
}

/**
 * Builds and runs all of them.
 *
 * @param flavour 'address' (with undefined behaviour), 'thread' or 'guard'
 * @throws {BuildError} if one does not compile or fails
 */
export async function nativeTests(flavour) {
  const compiler = findCompiler();
  if (compiler.problem !== undefined) throw new BuildError(`The native tests cannot be built: ${compiler.problem}.`);
  const folder = join(ROOT, 'build', `sanitize-${flavour}`);
  mkdirSync(folder, { recursive: true });
  const { compile, link: linking, runs, isas } = FLAVOURS[flavour], flags = [...compile, `-I${NATIVE}`];
  const runtime = runtimeObjects(folder, flags);
  const suite = listed(join(TESTS, 'runtime'));
  const programs = [{ name: 'runtime', own: suite.filter((path) => path.endsWith('.cc')).map((path) => objectOf(path, folder, flags, [...suite, ...runtimeHeaders()])) }];
  const shared = [...listed(TESTS), ...kernelFiles(), ...runtimeHeaders()];
  for (const path of listed(TESTS).filter((name) => name.endsWith('.cc'))) {
    for (const [isa, [lanes, ...more]] of usableIsas().slice(0, isas)) {
      const name = `${basename(path, '.cc')}-${isa}`;
      programs.push({ name, own: [objectOf(path, folder, [...flags, ...more, `-DATHANOR_ISA=${isa}`, `-DATHANOR_LANES=${lanes}`], shared, name)] });
    }
  }
  const list = [...runtime, ...programs.flatMap((program) => program.own)];
  const keys = await compileAll(list, compiler);
  for (const { name, own } of programs) {
    const parts = [...runtime, ...own];
    await link(compiler, parts.map((job) => job.object), ['-pthread', ...linking], join(folder, name), parts.map((job) => keys[list.indexOf(job)]));
  }
  const waiting = programs.flatMap(({ name }) => runs.map((env) => ({ name, env }))), total = waiting.length;
  let failed = 0;
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) failed += (await passes(folder, flavour, next)) ? 0 : 1;
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work)); // most of them have one busy thread
  if (failed > 0) throw new BuildError(`${failed} of ${total} runs of native test programs failed; each can be run alone from ${folder}.`);
}

/** Runs one program, and says how that went. */
async function passes(folder, flavour, { name, env }) {
  const child = spawn(join(folder, name), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const [status, signal] = await once(child, 'close');
  console.log(`${status === 0 ? 'passed' : 'FAILED'} ${name} (${[flavour, ...Object.values(env)].join(', ')})`);
  if (status !== 0) console.error(`${said}${signal === null ? '' : `It was ended by ${signal}.`}`);
  return status === 0;
}
