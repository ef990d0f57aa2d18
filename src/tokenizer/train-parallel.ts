// Training on several threads: words are counted side by side, merges are learned on one. Layer: tokenizer (threads;
// not for browsers). Counting is most of the work and its sum does not depend on who counted what, so the result is the
// same for any number of threads.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { ConfigError } from '../base/errors.ts';
import type { CountRequest } from './count-worker.ts';
import type { SplitPattern } from './split-pattern.ts';
import type { Tokenizer } from './tokenizer.ts';
import { checkSignal, checkTrainOptions, trainBpe, trainFromCounts, type TrainBpeOptions } from './train-bpe.ts';
import { chunkEnd, PADDING } from './utf8-text.ts';
import { WordCounter, type WordCounts } from './word-counts.ts';

/** Bytes sent at a time: some 20 ms of counting, so that threads end close together and messages cost nothing. */
const BATCH_BYTES = 2 ** 21;
/** Batches that a thread has waiting, so that it never waits itself. */
const BATCHES_AHEAD = 2;

/** As TrainBpeOptions, and how many threads count. Default: as many as the machine has. */
export interface TrainParallelOptions extends TrainBpeOptions {
  readonly threads?: number;
}

type Reply = { memory: ArrayBuffer } | { counts: WordCounts };

/** A thread that counts, with the memory it is given going back and forth. */
class CountThread {
  readonly #worker: Worker;
  #waiting = 0;
  #free: ArrayBuffer[] = [];
  #counts: WordCounts | undefined;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(entry: URL, pattern: SplitPattern) {
    this.#worker = new Worker(entry, { workerData: { pattern } });
    this.#worker.on('message', (reply: Reply) => {
      if ('counts' in reply) this.#counts = reply.counts;
      else {
        this.#waiting--;
        this.#free.push(reply.memory);
      }
      this.#wake();
    });
    this.#worker.on('error', (cause) => {
      this.#failure = cause;
      this.#wake();
    });
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Calls back at each message from the thread. */
  onChange(wake: () => void): void {
    this.#wake = wake;
  }

  /** Throws what the thread threw. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Memory for `length` bytes: used before if there is some. */
  memory(length: number): ArrayBuffer {
    const used = this.#free.pop();
    return used !== undefined && used.byteLength >= length ? used : new ArrayBuffer(Math.max(length, BATCH_BYTES * 2 + PADDING));
  }

  send(memory: ArrayBuffer, ends: readonly number[]): void {
    this.#waiting++;
    this.#worker.postMessage({ batch: { memory, ends } } satisfies CountRequest, [memory]);
  }

  /** The counts of all batches; the thread then ends. */
  async finish(): Promise<WordCounts> {
    const counts = new Promise<WordCounts>((resolve, reject) => {
      this.onChange(() => {
        if (this.#failure !== undefined) reject(this.#failure as Error);
        else if (this.#counts !== undefined) resolve(this.#counts);
      });
    });
    this.check();
    this.#worker.postMessage({} satisfies CountRequest);
    return counts;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Threads, and the batch that is being filled for the next of them. */
class CountPool {
  readonly #threads: CountThread[];
  readonly #encoder = new TextEncoder();
  #target: CountThread | undefined;
  #bytes = new Uint8Array(0);
  #ends: number[] = [];
  #used = 0;

  constructor(entry: URL, pattern: SplitPattern, threads: number) {
    this.#threads = Array.from({ length: threads }, () => new CountThread(entry, pattern));
  }

  /** Adds a text; waits while all threads have enough to do. */
  async add(text: string): Promise<void> {
    for (let from = 0; from < text.length;) {
      const to = chunkEnd(text, from), room = (to - from) * 3 + PADDING; // a UTF-16 unit is at most three bytes
      if (this.#used + room > this.#bytes.length) {
        this.#send();
        await this.#open(room);
      }
      const part = from === 0 && to === text.length ? text : text.slice(from, to);
      this.#used += this.#encoder.encodeInto(part, this.#bytes.subarray(this.#used)).written;
      this.#ends.push(this.#used);
      if (this.#used >= BATCH_BYTES) this.#send();
      from = to;
    }
  }

  /** Waits for a thread with little to do, and takes memory for it. */
  async #open(room: number): Promise<void> {
    for (;;) {
      for (const thread of this.#threads) thread.check();
      const idlest = this.#threads.reduce((a, b) => (b.waiting < a.waiting ? b : a));
      if (idlest.waiting < BATCHES_AHEAD) {
        this.#target = idlest;
        this.#bytes = new Uint8Array(idlest.memory(room));
        return;
      }
      await new Promise<void>((resolve) => this.#threads.forEach((thread) => thread.onChange(resolve)));
    }
  }

  #send(): void {
    if (this.#target !== undefined && this.#ends.length > 0) this.#target.send(this.#bytes.buffer as ArrayBuffer, this.#ends);
    this.#target = undefined;
    this.#bytes = new Uint8Array(0);
    this.#ends = [];
    this.#used = 0;
  }

  /** The counts of each thread. */
  async finish(): Promise<WordCounts[]> {
    this.#send();
    return Promise.all(this.#threads.map((thread) => thread.finish()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
  }
}

/** The counting thread's file beside this one; undefined where it is TypeScript that this Node cannot load. */
function workerEntry(): URL | undefined {
  const isSource = import.meta.url.endsWith('.ts');
  const loadsSource = Boolean((process.features as { typescript?: unknown }).typescript); // Node 22.18 and later
  if (isSource && !loadsSource) return undefined;
  return new URL(isSource ? './count-worker.ts' : './count-worker.js', import.meta.url);
}

/**
 * Trains a byte-level BPE tokenizer as `trainBpe` does, with the same result, counting words on several threads.
 * Run from TypeScript sources on a Node that cannot load them in threads, it counts on one.
 *
 * @throws {ConfigError} if an option is out of range
 * @throws {InterruptedError} if `signal` is aborted
 */
export async function trainBpeParallel(
  texts: Iterable<string> | AsyncIterable<string>,
  options: TrainParallelOptions,
): Promise<Tokenizer> {
  checkTrainOptions(options);
  const { threads = availableParallelism(), pattern = 'cl100k', onProgress, signal } = options;
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > 256) {
    throw new ConfigError(`Cannot train on ${threads} threads: it must be a whole number from 1 to 256.`, { path: 'threads' });
  }
  const entry = workerEntry();
  if (threads === 1 || entry === undefined) return trainBpe(texts, options);
  const pool = new CountPool(entry, pattern, threads);
  try {
    let done = 0;
    for await (const text of texts) {
      checkSignal(signal);
      await pool.add(text);
      done += text.length;
      onProgress?.({ stage: 'count', done });
    }
    const total = new WordCounter(pattern);
    for (const counts of await pool.finish()) total.merge(counts);
    return await trainFromCounts(total.take(), options);
  } finally {
    await pool.stop();
  }
}
