// A random model that tests of the engine share: small, and greedy text is not one token for ever.

import type { Executor } from '../../src/backends/executor.ts';
import { NativeExecutor } from '../../src/backends/native/index.ts';
import { ReferenceExecutor } from '../../src/backends/reference/index.ts';
import type { State } from '../../src/core/index.ts';
import { Engine, type EngineOptions } from '../../src/engine/index.ts';
import { createModel, FAMILIES, initialise, type Model } from '../../src/models/index.ts';

const executors: Executor[] = [];

/** The native core where it was built; the same tests hold for the reference, slowly. */
export function openExecutor(): Executor {
  let executor: Executor;
  try {
    executor = NativeExecutor.open({ threads: 2 });
  } catch {
    executor = new ReferenceExecutor();
  }
  executors.push(executor);
  return executor;
}

export async function closeExecutors(): Promise<void> {
  await Promise.all(executors.splice(0).map((executor) => executor.close()));
}

export const readWeights = (state: State): Float32Array => initialise({ ...state, init: state.init.kind === 'normal' ? { kind: 'normal', std: 0.4 } : state.init }, 3);

export const tinyLlama: Model = createModel(FAMILIES['llama']!, FAMILIES['llama']!.tiny);

/** Blocks of 4, sequences of 48: what takes thousands of tokens elsewhere happens within a hundred. */
export function tinyEngine(more: Partial<EngineOptions> = {}): Engine {
  return new Engine(tinyLlama, { executor: openExecutor(), read: readWeights, maxTokens: 16, maxSeqs: 4, maxLength: 48, blockSize: 4, ...more });
}

/** Ids that depend on a number. */
export const idsFrom = (seed: number, n: number): number[] => Array.from({ length: n }, (_, i) => (seed * 31 + i * i * 7 + i * seed) % 61);
