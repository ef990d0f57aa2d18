// The model as a function of tokens and a cache: one program for prefill and decoding. Layer: engine.

import { ShapeError } from '../base/errors.ts';
import type { Executor, ProgramHandle, TypedArray } from '../backends/executor.ts';
import { compile, type State } from '../core/index.ts';
import { asBytes, cachedGraph, fits, withWeightTypes, type Model } from '../models/index.ts';

export interface DecoderOptions {
  readonly executor: Executor;
  /** A parameter's values in its dtype; `loadModel(path).readStored` is one such function. */
  readonly read: (state: State) => TypedArray;
  /** Most new tokens of one run: the size of a prefill's pieces. */
  readonly maxTokens: number;
  readonly maxSeqs: number;
  /** Most rows of logits of one run, as many as sequences. */
  readonly maxRows?: number;
  readonly maxLength: number;
  readonly slots: number;
  readonly compute?: 'f32' | 'bf16';
  /** What keys and values are kept in, f32. */
  readonly cacheDtype?: 'f32' | 'bf16';
}

/** One new token of a sequence. */
export interface NewToken {
  readonly id: number;
  readonly position: number;
  /** Row of the table below. */
  readonly seq: number;
  /** Row of the cache that it is written to. */
  readonly slot: number;
  /** Whether its logits are wanted. */
  readonly logits: boolean;
}

export class Decoder {
  readonly vocabSize: number;
  readonly maxTokens: number;
  readonly maxSeqs: number;
  readonly maxRows: number;
  readonly maxLength: number;
  readonly #executor: Executor;
  readonly #handle: ProgramHandle;
  readonly #table: Int32Array;

  constructor(model: Model, options: DecoderOptions) {
    this.vocabSize = model.dims.vocabSize;
    ({ maxTokens: this.maxTokens, maxSeqs: this.maxSeqs, maxLength: this.maxLength, executor: this.#executor } = options);
    this.maxRows = options.maxRows ?? options.maxSeqs;
    const packed = packedOnce(model), stored = new Map(model.states.map((state) => [state.id, state]));
    const program = compile(cachedGraph(packed, options), { target: this.#executor.target(), compute: options.compute ?? 'f32' });
    this.#handle = this.#executor.load(program);
    this.#table = new Int32Array(this.maxSeqs * this.maxLength);
    for (const state of program.states) {
      if (state.role === 'cache') continue;
      const values = state.init.kind === 'values' ? state.init.values() : options.read(stored.get(state.id)!);
      this.#executor.write(state.id, state.meta.dtype === 'bf16x2' ? asBytes(values) : values);
    }
  }

  /** Says which cache rows hold the positions of a sequence, from `first` on. */
  assign(seq: number, slots: Int32Array, first = 0): void {
    const end = first + slots.length;
    if (end > this.maxLength) throw new ShapeError(`Cannot place ${end} positions: a sequence has at most ${this.maxLength}.`, { op: 'decode', shapes: [`[${end}]`] });
    this.#table.set(slots, seq * this.maxLength + first);
  }

  /** The cache row of a position. */
  slotOf(seq: number, position: number): number {
    return this.#table[seq * this.maxLength + position]!;
  }

  /**
   * Runs new tokens, each attending to its own sequence. At most maxTokens, at most maxRows with logits.
   *
   * @returns logits [R, V] of those that want them, in their order
   */
  async run(tokens: readonly NewToken[], signal?: AbortSignal): Promise<Float32Array> {
    const column = (of: (t: NewToken) => number): Int32Array => Int32Array.from(tokens, of);
    const rows = Int32Array.from(tokens.flatMap((t, i) => (t.logits ? [i] : [])));
    const { logits } = await this.#executor.run(this.#handle, {
      tokens: column((t) => t.id),
      positions: column((t) => t.position),
      seqs: column((t) => t.seq),
      slots: column((t) => t.slot),
      slotTable: this.#table,
      rows,
    }, { dims: { tokens: tokens.length, rows: rows.length }, signal });
    return logits as Float32Array;
  }

  /** Forgets the program; states stay with the executor. */
  close(): void {
    this.#executor.unload(this.#handle);
  }
}

/** The model with its bf16 matrices in the order of the executor's kernels. They are read as they are, never written. */
function packedOnce(model: Model): Model {
  return withWeightTypes(model, ({ meta: { shape, dtype } }) => (dtype === 'bf16' && fits('bf16x2', shape[1] as number) ? 'bf16x2' : dtype));
}
