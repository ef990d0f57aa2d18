// Batches of token windows for training and validation, and the cursor that resumes them exactly. Layer: data.
// Legend: B rows of a batch, T tokens of a row (the context). Rows are laid one after the other: position b·T + t.
// Row number k of a run depends on (data, seed, T, sampling, k) alone: not on the batch size, nor on what was read before.

import { ConfigError } from '../base/errors.ts';
import { philox, streamOf } from '../base/random.ts';
import { packBestFit, type Packing } from './mix/best-fit.ts';
import { Permutation } from './permutation.ts';
import type { TokenShards } from './token-shards.ts';

/** A batch. Its arrays are reused: copy what must outlive the next call. */
export type Batch = {
  /** Token ids, [B·T]. */
  tokens: Int32Array;
  /** The token that follows each, [B·T]; 0 where the weight is 0. */
  targets: Int32Array;
  /** For each position, where in the batch its document begins, or its row if the document began before it, [B·T]. */
  starts: Int32Array;
  /** 1 where there is a target, else 0, [B·T]. */
  weights: Float32Array;
};

/**
 * How rows are chosen:
 * - `windows`: the sequence cut every T tokens; an epoch gives each window once, in an order shuffled by the seed;
 * - `packed`: rows of whole documents, with little padding (best-fit.ts); an epoch gives each row once, shuffled by the seed;
 * - `random`: every row begins at a uniform random position and documents are ignored (nanoGPT's way).
 */
export type Sampling = 'windows' | 'packed' | 'random';

/** Where a stream stands; JSON-able. It fits only the same data, seed, context length and sampling. */
export type BatchCursor = { rows: number; seed: number; contextLength: number; sampling: Sampling; contentHash: string };

/** What to read and how. */
export type BatchOptions = {
  shards: TokenShards;
  /** B, rows of a batch. */
  batchSize: number;
  /** T, tokens of a row. */
  contextLength: number;
  /** Default 0. */
  seed?: number;
  /** Default `windows`. */
  sampling?: Sampling;
  /** Goes on where another stream's `cursor()` stood. */
  cursor?: BatchCursor;
};

/**
 * An endless, deterministic stream of training batches.
 *
 * @example
 * const stream = new BatchStream({ shards, batchSize: 8, contextLength: 256, seed: 7 });
 * const { tokens, targets } = stream.next();
 * const cursor = stream.cursor(); // a later BatchStream({ …, cursor }) gives the same next batches
 */
export class BatchStream {
  readonly batchSize: number;
  readonly contextLength: number;
  readonly #shards: TokenShards;
  readonly #seed: number;
  readonly #sampling: Sampling;
  readonly #filler: RowFiller;
  /** Of `packed`: 16 bytes a document. */
  readonly #packing: Packing | undefined;
  /** How many rows `windows` has in an epoch, or how many starts `random` can choose from. */
  readonly #choices: number;
  #permutation: { epoch: number; order: Permutation } | undefined;
  readonly #words = new Uint32Array(4);
  #rows = 0;

  /** @throws {ConfigError} if a size is impossible, the text is shorter than one row, or the cursor is of another stream */
  constructor(options: BatchOptions) {
    const { shards, batchSize, contextLength, seed = 0, sampling = 'windows', cursor } = options;
    assertSizes(batchSize, contextLength);
    if (shards.length <= contextLength) {
      throw new ConfigError(
        `Cannot make rows of ${contextLength} tokens: the text has ${shards.length}, and a row needs one more than its length. ` +
          'Give more text, or a shorter context.',
        { path: 'train.contextLength' },
      );
    }
    this.batchSize = batchSize;
    this.contextLength = contextLength;
    this.#shards = shards;
    this.#seed = seed;
    this.#sampling = sampling;
    this.#packing = sampling === 'packed' ? packBestFit(allStarts(shards), shards.length, contextLength) : undefined;
    this.#choices = this.#packing !== undefined ? this.#packing.rows.length - 1 : sampling === 'random' ? shards.length - contextLength : Math.floor((shards.length - 1) / contextLength);
    this.#filler = new RowFiller(shards, batchSize, contextLength);
    if (cursor !== undefined) this.#resume(cursor);
  }

  /** Rows in an epoch (`windows`), or the number of rows that read as many tokens as there are (`random`). */
  get rowsPerEpoch(): number {
    return this.#packing === undefined ? Math.floor((this.#shards.length - 1) / this.contextLength) : this.#choices;
  }

  /** Epochs read so far, as a fraction. */
  get epoch(): number {
    return this.#rows / this.rowsPerEpoch;
  }

  /** Where the stream stands: what `next` has not given yet. */
  cursor(): BatchCursor {
    return {
      rows: this.#rows,
      seed: this.#seed,
      contextLength: this.contextLength,
      sampling: this.#sampling,
      contentHash: this.#shards.manifest.contentHash,
    };
  }

  /** The next batch, in buffers that the next call overwrites. @throws {StorageError} if the shards cannot be read */
  next(): Batch {
    for (let row = 0; row < this.batchSize; row++) {
      const position = this.#position(this.#rows + row);
      if (this.#packing !== undefined) this.#filler.fillPieces(row, this.#packing, position);
      else this.#filler.fill(row, position, this.contextLength, this.#sampling === 'windows');
    }
    this.#rows += this.batchSize;
    return this.#filler.batch;
  }

  /** Where row number k begins in the sequence; of `packed`, which row of the packing it is. */
  #position(k: number): number {
    if (this.#sampling === 'random') {
      const words = this.#words;
      philox(words, this.#seed, streamOf('data.random'), k);
      return ((words[0]! >>> 5) * 0x4000000 + (words[1]! >>> 6)) % this.#choices; // 53 bits: the bias is below choices / 2^53
    }
    const epoch = Math.floor(k / this.#choices);
    if (this.#permutation?.epoch !== epoch) {
      const order = new Permutation(this.#choices, { seed: this.#seed, stream: streamOf('data.shuffle'), epoch });
      this.#permutation = { epoch, order };
    }
    return this.#permutation.order.at(k % this.#choices) * (this.#packing === undefined ? this.contextLength : 1);
  }

  #resume(cursor: BatchCursor): void {
    const own = this.cursor();
    for (const field of ['contentHash', 'seed', 'contextLength', 'sampling'] as const) {
      if (cursor[field] === own[field]) continue;
      throw new ConfigError(
        `Cannot resume the data stream: it was read with ${field} ${cursor[field]}, and now ${field} is ${own[field]}. ` +
          'Resume with the same data and settings, or start a new run.',
        { path: `data.${field}` },
      );
    }
    if (!Number.isSafeInteger(cursor.rows) || cursor.rows < 0) {
      throw new ConfigError(`Cannot resume the data stream: its cursor says ${cursor.rows} rows.`);
    }
    this.#rows = cursor.rows;
  }
}

/**
 * The whole sequence in order, every token the target of exactly one position (but the first, which nothing precedes).
 * The last batch is filled up with positions of weight 0.
 *
 * @param options `limit`: at most so many batches, for a quick validation; they are then spread evenly over the sequence
 */
export function* sequentialBatches(options: {
  shards: TokenShards;
  batchSize: number;
  contextLength: number;
  limit?: number;
}): Generator<Batch> {
  const { shards, batchSize, contextLength, limit = Infinity } = options;
  assertSizes(batchSize, contextLength);
  const targets = shards.length - 1;
  const total = Math.ceil(targets / (batchSize * contextLength)), count = Math.min(total, limit);
  const filler = new RowFiller(shards, batchSize, contextLength);
  for (let i = 0; i < count; i++) {
    const first = Math.floor((i * total) / count) * batchSize * contextLength;
    for (let row = 0; row < batchSize; row++) {
      const position = first + row * contextLength;
      filler.fill(row, Math.min(position, targets), Math.max(0, Math.min(contextLength, targets - position)), true);
    }
    yield filler.batch;
  }
}

/** Positions at which documents begin; the first is 0, whatever begins there. */
function allStarts(shards: TokenShards): number[] {
  const starts: number[] = [], chunk = new Int32Array(Math.min(shards.length, 2 ** 20));
  for (let from = 0; from < shards.length; from += chunk.length) {
    const found = shards.documentStarts(chunk, from, Math.min(shards.length, from + chunk.length));
    for (let i = 0; i < found; i++) starts.push(from + chunk[i]!);
  }
  if (starts[0] !== 0) starts.unshift(0);
  return starts;
}

function assertSizes(batchSize: number, contextLength: number): void {
  for (const [name, value] of [['batchSize', batchSize], ['contextLength', contextLength]] as const) {
    if (Number.isInteger(value) && value > 0 && value < 2 ** 31) continue;
    throw new ConfigError(`Cannot make batches: ${name} is ${value}, and it must be a positive integer.`, { path: `train.${name}` });
  }
}

/** Fills rows of one reused batch. */
class RowFiller {
  readonly batch: Batch;
  readonly #shards: TokenShards;
  readonly #contextLength: number;
  readonly #ids: Int32Array;
  readonly #begins: Int32Array;

  constructor(shards: TokenShards, batchSize: number, contextLength: number) {
    const size = batchSize * contextLength; // B·T
    this.#shards = shards;
    this.#contextLength = contextLength;
    this.#ids = new Int32Array(contextLength + 1);
    this.#begins = new Int32Array(contextLength + 1);
    this.batch = {
      tokens: new Int32Array(size),
      targets: new Int32Array(size),
      starts: new Int32Array(size),
      weights: new Float32Array(size),
    };
  }

  /**
   * Writes row `row` from `position` on.
   *
   * @param count positions with a target, 0 … T; the rest of the row is padding
   * @param byDocument whether documents are kept apart
   */
  fill(row: number, position: number, count: number, byDocument: boolean): void {
    const { tokens, targets, starts, weights } = this.batch, ids = this.#ids, length = this.#contextLength;
    const base = row * length;
    if (count > 0) this.#shards.read(ids, position, count + 1);
    for (let t = 0; t < count; t++) {
      tokens[base + t] = ids[t]!;
      targets[base + t] = ids[t + 1]!;
      weights[base + t] = 1;
    }
    starts.fill(base, base, base + count);
    if (byDocument && count > 0) this.#separate(base, position, count);
    // Padding: token 0 that sees itself only, so that it costs nothing and touches no document.
    for (let t = count; t < length; t++) {
      tokens[base + t] = 0;
      targets[base + t] = 0;
      weights[base + t] = 0;
      starts[base + t] = base + t;
    }
  }

  /**
   * Writes row `row` from pieces of documents. The last token of a document predicts the end of text, where there is such a
   * token; what is left of the row is padding.
   */
  fillPieces(row: number, { rows, positions, lengths }: Packing, index: number): void {
    const { tokens, targets, starts, weights } = this.batch, ids = this.#ids, base = row * this.#contextLength, { length, endOfText } = this.#shards;
    let at = base;
    for (let piece = rows[index]!; piece < rows[index + 1]!; piece++) {
      const position = positions[piece]!, size = lengths[piece]!, hasNext = position + size < length;
      this.#shards.read(ids, position, size + (hasNext ? 1 : 0));
      const isEnd = !hasNext || this.#shards.documentStarts(this.#begins, position + size, position + size + 1) > 0;
      for (let t = 0; t < size; t++, at++) {
        const isLast = t === size - 1 && isEnd;
        tokens[at] = ids[t]!;
        targets[at] = isLast ? endOfText ?? 0 : ids[t + 1]!;
        weights[at] = isLast && endOfText === undefined ? 0 : 1;
        starts[at] = at - t;
      }
    }
    for (const end = base + this.#contextLength; at < end; at++) {
      tokens[at] = 0;
      targets[at] = 0;
      weights[at] = 0;
      starts[at] = at;
    }
  }

  /** Marks where documents begin in the row; without an end-of-text id the token before has nothing to predict. */
  #separate(base: number, position: number, count: number): void {
    const { targets, starts, weights } = this.batch, begins = this.#begins;
    const found = this.#shards.documentStarts(begins, position, position + count + 1);
    for (let i = 0; i < found; i++) {
      const begin = begins[i]!, end = i + 1 < found ? begins[i + 1]! : count;
      starts.fill(base + begin, base + begin, base + Math.min(end, count));
      if (begin > 0 && this.#shards.endOfText === undefined) {
        weights[base + begin - 1] = 0;
        targets[base + begin - 1] = 0;
      }
    }
  }
}
