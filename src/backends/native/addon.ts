// Finds and loads the native core, and gives its functions types. Layer: backends.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BackendError } from '../../base/errors.ts';
import { opTableHash } from '../../core/op-table.ts';
import type { Isa } from '../../core/target.ts';

/** What the machine has. */
export interface Machine {
  /** The best instruction set, and all that can be chosen. */
  readonly isa: Isa;
  readonly isas: readonly Isa[];
  readonly lanes: number;
  /** Physical cores within the process's affinity and its control group's limit. */
  readonly threads: number;
  readonly l1Bytes: number;
  readonly l2Bytes: number;
  readonly l3Bytes: number;
  readonly cpuModel: string;
}

/** Measured limits, a second. */
export interface Peak {
  readonly f32Flops: number;
  /** 0 without an instruction for bf16 products. */
  readonly bf16Flops: number;
  readonly readBytes: number;
}

/** The functions of native/binding/addon.cc. Executors, programs and jobs are numbers there. */
export interface Addon {
  opTableHash(): bigint;
  machine(): Machine;
  open(threads: number, isa: string): { executor: number; isa: Isa; lanes: number; threads: number };
  load(executor: number, bytes: Uint8Array): {
    program: number;
    inputs: number[];
    outputs: number[];
    dims: number[];
    instructions: number;
  };
  unload(executor: number, program: number): void;
  state(executor: number, id: string): ArrayBuffer | undefined;
  /** A state in a block format from ggml's bytes to the kernels' order, or `back` into `blocks`. */
  arrange(executor: number, id: string, blocks: Uint8Array, dtype: number, rows: number, cols: number, back: boolean): void;
  memory(executor: number): { arenaBytes: number; stateBytes: number };
  start(executor: number, program: number, inputs: readonly ArrayBufferView[], dims: readonly number[], profile: boolean): {
    job: number;
    promise: Promise<{ outputs: ArrayBuffer[]; seconds?: Float64Array }>;
  };
  abort(executor: number, job: number): void;
  measurePeak(executor: number): Promise<Peak>;
  close(executor: number): Promise<void>;
  mapFile(path: string, offset: number, length: number): ArrayBuffer;
}

/** Where scripts/build.mjs puts it, seen from src/ and from dist/ alike. */
const ADDON = fileURLToPath(new URL('../../../build/athanor.node', import.meta.url));
const BUILD = 'Run `npm run build` in the folder of the package (it needs a C++20 compiler), or use the reference backend.';

/**
 * Loads the native core; Node keeps it after the first time.
 *
 * @param path another place, for tests
 * @throws {BackendError} if it is missing, does not load, or was built from another list of operators
 */
export function loadAddon(path: string = ADDON): Addon {
  if (!existsSync(path)) {
    throw new BackendError(`Cannot use the native core: "${path}" has not been built.`, { help: BUILD });
  }
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new BackendError(`Cannot load the native core "${path}": ${(cause as Error).message}.`, { help: BUILD, cause });
  }
  const built = addon.opTableHash(), current = opTableHash();
  if (built !== current) {
    throw new BackendError(
      `Cannot use the native core "${path}": it was built from another list of operators (${built.toString(16)}, now ${current.toString(16)}).`,
      { help: BUILD },
    );
  }
  return addon;
}
