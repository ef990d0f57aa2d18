// The data of optimizer steps, cut into micro-batches and ready to be run. Layer: train.
// B rows of a step, M rows of a micro-batch, T tokens of a row, N = M·T tokens of a micro-batch.

import { BatchStream, type BatchCursor, type BatchOptions, type Batch } from '../data/index.ts';

/** Inputs of one run of a loss program, [N]. */
export type MicroBatch = {
  tokens: Int32Array;
  targets: Int32Array;
  starts: Int32Array;
  /** Places in the document, 0 at its first token in the row. */
  positions: Int32Array;
  weights: Float32Array;
};

/** The data of one optimizer step. */
export interface StepBatch {
  readonly micro: readonly MicroBatch[];
  /** Where the data goes on after this step. */
  readonly cursor: BatchCursor;
  /** Epochs read after this step, as a fraction. */
  readonly epoch: number;
  /** Tokens read, B·T. */
  readonly tokens: number;
}

/** Positions of tokens in their documents: index − start. */
export function positionsOf(starts: Int32Array, out: Int32Array = new Int32Array(starts.length)): Int32Array {
  for (let i = 0; i < starts.length; i++) out[i] = i - starts[i]!;
  return out;
}

/**
 * Reads steps one after the other. Weights are normalised over the whole step, so that its loss is the mean over all
 * targets and its gradient does not depend on how it is cut into micro-batches.
 */
export class StepBatches {
  readonly #stream: BatchStream;
  readonly #micro: MicroBatch[];

  /** @param options as of `BatchStream`: `batchSize` rows of a whole step, of which `microRows` are computed at a time */
  constructor(options: BatchOptions & { readonly microRows: number }) {
    const { batchSize, contextLength, microRows } = options, size = microRows * contextLength;
    this.#stream = new BatchStream(options);
    this.#micro = Array.from({ length: batchSize / microRows }, (): MicroBatch => ({
      tokens: new Int32Array(size),
      targets: new Int32Array(size),
      starts: new Int32Array(size),
      positions: new Int32Array(size),
      weights: new Float32Array(size),
    }));
  }

  /** Where the data goes on: what `next` has not given yet. */
  get cursor(): BatchCursor {
    return this.#stream.cursor();
  }

  /** The next step's data, in buffers that the next call overwrites. @throws {StorageError} if the shards cannot be read */
  next(): StepBatch {
    const batch = this.#stream.next(), scale = 1 / Math.max(1, sum(batch.weights));
    this.#micro.forEach((micro, i) => cut(batch, i * micro.tokens.length, scale, micro));
    return { micro: this.#micro, cursor: this.#stream.cursor(), epoch: this.#stream.epoch, tokens: batch.tokens.length };
  }
}

function cut(batch: Batch, from: number, scale: number, micro: MicroBatch): void {
  const to = from + micro.tokens.length;
  micro.tokens.set(batch.tokens.subarray(from, to));
  micro.targets.set(batch.targets.subarray(from, to));
  for (let i = from; i < to; i++) {
    micro.starts[i - from] = batch.starts[i]! - from; // rows are never cut, so that no document begins before `from`
    micro.weights[i - from] = batch.weights[i]! * scale;
  }
  positionsOf(micro.starts, micro.positions);
}

function sum(values: Float32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
