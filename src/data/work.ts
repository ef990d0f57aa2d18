// What a long job owes its caller: progress, a clean stop, and air for the event loop. Layer: data.

import { setImmediate } from 'node:timers/promises';
import { InterruptedError } from '../base/errors.ts';

/** How far a job is. */
export type Progress = {
  stage: 'walk' | 'read' | 'near-copies' | 'parts' | 'index' | 'decide' | 'write' | 'tokenize';
  /** Units of `done` and `total`. */
  unit: 'files' | 'bytes' | 'documents';
  done: number;
  /** Unknown while walking. */
  total: number | undefined;
  /** Bytes of text through this stage, and their rate. */
  bytes: number;
  bytesPerSecond: number;
};

/** Progress and interruption, as every long function here takes them. */
export type WorkOptions = { signal?: AbortSignal | undefined; onProgress?: ((progress: Progress) => void) | undefined };

/** Often enough for a smooth display and a prompt Ctrl-C, seldom enough to cost nothing. */
const INTERVAL_MS = 50;

/** The clock of one stage. Call `step` after every document; it mostly does nothing. */
export class Pacer {
  readonly #options: WorkOptions;
  readonly #stage: Progress['stage'];
  readonly #unit: Progress['unit'];
  readonly #total: number | undefined;
  readonly #start = performance.now();
  #last = 0;

  constructor(stage: Progress['stage'], unit: Progress['unit'], total: number | undefined, options: WorkOptions) {
    this.#options = options;
    this.#stage = stage;
    this.#unit = unit;
    this.#total = total;
  }

  /**
   * Reports, lets other events in (a signal among them), and stops if asked to.
   *
   * @throws {InterruptedError} once the signal is aborted
   */
  async step(done: number, bytes: number): Promise<void> {
    const now = performance.now();
    if (now - this.#last < INTERVAL_MS) return;
    this.#last = now;
    this.report(done, bytes);
    await setImmediate();
    throwIfAborted(this.#options.signal, this.#stage);
  }

  /** Reports now. */
  report(done: number, bytes: number): void {
    const seconds = Math.max(1e-3, (performance.now() - this.#start) / 1000);
    this.#options.onProgress?.({
      stage: this.#stage,
      unit: this.#unit,
      done,
      total: this.#total,
      bytes,
      bytesPerSecond: bytes / seconds,
    });
  }
}

/** @throws {InterruptedError} if the signal is aborted */
export function throwIfAborted(signal: AbortSignal | undefined, stage: string): void {
  if (signal?.aborted) throw new InterruptedError(`Stopped while working on the data (${stage}): nothing was left half-written.`);
}
