// Vectors of texts: the mean of a model's hidden states after its last norm. Layer: serve.
// Mean pooling is what the models that were not trained to embed do best by (assumed from Reimers & Gurevych 2019, arXiv
// 1908.10084, table 6; not measured here). Packed documents do not see each other: many texts are one run.

import type { Executor, ProgramHandle, TypedArray } from '../backends/executor.ts';
import { compile, type State } from '../core/index.ts';
import { hiddenGraph, type Model } from '../models/index.ts';

export interface EmbedderOptions {
  readonly executor: Executor;
  readonly read: (state: State) => TypedArray;
  /** Most tokens of one text. */
  readonly maxLength: number;
}

/**
 * Makes vectors of token ids, one text or many. The program is compiled, and its weights are read, when it is first asked;
 * states that it shares with the engine's program are the same memory.
 */
export function makeEmbedder(model: Model, { executor, read, maxLength }: EmbedderOptions) {
  let handle: ProgramHandle | undefined;
  const load = (): ProgramHandle => {
    const program = compile(hiddenGraph(model, { dim: 'tokens', max: maxLength }), { target: executor.target() }), loaded = executor.load(program), own = new Map(model.states.map((state) => [state.id, state]));
    for (const state of program.states) executor.write(state.id, state.init.kind === 'values' ? state.init.values() : read(own.get(state.id)!));
    return loaded;
  };
  const run = async (batch: readonly (readonly number[])[], signal: AbortSignal | undefined): Promise<Float32Array[]> => {
    const n = batch.reduce((sum, { length }) => sum + length, 0), tokens = new Int32Array(n), starts = new Int32Array(n), positions = new Int32Array(n);
    let at = 0;
    for (const ids of batch) {
      const start = at;
      for (const [i, id] of ids.entries()) [tokens[at], starts[at], positions[at++]] = [id, start, i];
    }
    const { hidden } = await executor.run(handle ??= load(), { tokens, starts, positions }, { dims: { tokens: n }, signal });
    return means(hidden as Float32Array, batch.map(({ length }) => length));
  };
  return async (texts: readonly (readonly number[])[], signal: AbortSignal | undefined): Promise<Float32Array[]> => {
    const vectors: Float32Array[] = [];
    for (const batch of batches(texts, maxLength)) vectors.push(...await run(batch, signal));
    return vectors;
  };
}

/** As many texts in order as fit one run. */
function* batches(texts: readonly (readonly number[])[], most: number): Generator<(readonly number[])[]> {
  let batch: (readonly number[])[] = [], size = 0;
  for (const ids of texts) {
    if (size > 0 && size + ids.length > most) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(ids);
    size += ids.length;
  }
  if (size > 0) yield batch;
}

/** Means of rows by text, [N, C] → one [C] for each. */
function means(hidden: Float32Array, lengths: readonly number[]): Float32Array[] {
  const width = hidden.length / lengths.reduce((sum, length) => sum + length, 0);
  let row = 0;
  return lengths.map((length) => {
    const mean = new Float32Array(width);
    for (let i = 0; i < length; i++, row++) for (let c = 0; c < width; c++) mean[c]! += hidden[row * width + c]! / length;
    return mean;
  });
}
