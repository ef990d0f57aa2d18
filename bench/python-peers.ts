// Peers in Python: PyTorch as it is installed, and as fast as it can be made.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChildContender, type Contender } from './contender.ts';
import { PeerError } from './peer-error.ts';
import { peerScript } from './places.ts';

/** The interpreter: `$ATHANOR_PYTHON`, or the one that is found. */
export function python(): string {
  return process.env['ATHANOR_PYTHON'] ?? 'python3';
}

/**
 * The environment of a peer. Machine images set these two for another processor, which halves OpenBLAS here.
 */
export function peerEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...extra };
  delete env['OPENBLAS_CORETYPE'];
  delete env['OPENBLAS_L2_SIZE'];
  return env;
}

export function pythonPeer(name: string, script: string, args: readonly string[], env: NodeJS.ProcessEnv = peerEnvironment()): ChildContender {
  return new ChildContender({ name, command: python(), args: [peerScript(script), ...args, '--serve'], env });
}

/**
 * What makes PyTorch faster without changing what it computes:
 * - MKL asks `mkl_serv_intel_cpu_true` before it takes its fast paths, and a preloaded library answers for any processor;
 * - glibc gives every large temporary back to the system and faults its pages in again: never trimming saves 8–10% of
 *   a step of the cases from 6x384 up (Zen 3, 2 cores), for a higher peak.
 * max-autotune, foreach instead of fused AdamW, transparent huge pages and thread binding were tried: no gain.
 */
const TUNED = { MALLOC_TRIM_THRESHOLD_: '-1', MALLOC_MMAP_MAX_: '0', MALLOC_TOP_PAD_: String(256 * 2 ** 20) };

/** Runs `make` with the tuned environment once it is built; the contender is missing where that cannot be done. */
export function tuned(name: string, make: (env: NodeJS.ProcessEnv) => Contender): Contender {
  let folder: string | undefined, inner: Contender | undefined;
  return {
    name,
    async start() {
      folder = mkdtempSync(join(tmpdir(), 'athanor-bench-'));
      inner = make(peerEnvironment({ ...TUNED, LD_PRELOAD: buildShim(name, folder) }));
      return inner.start();
    },
    measure: (seconds) => inner!.measure(seconds),
    async close() {
      await inner?.close();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function buildShim(name: string, folder: string): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new PeerError(name, 'its library is for Linux on x64');
  const source = join(folder, 'shim.c'), library = join(folder, 'shim.so');
  writeFileSync(source, 'int mkl_serv_intel_cpu_true(void) { return 1; }\n');
  const { status, error, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source], { encoding: 'utf8' });
  if (status !== 0) throw new PeerError(name, `cc cannot build its library: ${error?.message ?? stderr.trim()}`);
  return library;
}
