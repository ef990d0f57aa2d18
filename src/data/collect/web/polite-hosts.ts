// One request at a time to a host, and a pause between them. Layer: data.

import { setTimeout as sleep } from 'node:timers/promises';
import { InterruptedError } from '../../../base/errors.ts';

/** Turns by host. */
export class PoliteHosts {
  readonly #last = new Map<string, Promise<void>>();
  readonly #free = new Map<string, number>();

  /**
   * Does something with a host when it is its turn.
   *
   * @param pauseMs between the end of the request before and this one
   * @throws {InterruptedError} when the signal aborts while waiting
   */
  async turn<T>(host: string, pauseMs: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(host) ?? Promise.resolve();
    let done = (): void => undefined;
    this.#last.set(host, before.then(() => new Promise<void>((resolve) => (done = resolve))));
    await before;
    try {
      const wait = (this.#free.get(host) ?? 0) + pauseMs - performance.now();
      if (wait > 0)
        await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => {
          throw new InterruptedError('Stopped while waiting for a host.');
        });
      return await work();
    } finally {
      this.#free.set(host, performance.now());
      done();
    }
  }
}
