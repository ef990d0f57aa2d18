// Who is answered now, who waits, who is sent away. Layer: serve (pure).

import { RequestFault } from './fault.ts';

export interface AdmissionLimits {
  readonly maxRunning: number;
  readonly maxWaiting: number;
  readonly queueTimeoutMs: number;
}

/** A place; it is free again when it is left. */
export type Leave = () => void;

/** A bounded queue, first come first served. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queue = new Set<() => void>();
  #running = 0;
  #closed = false;
  /** Seconds that places were held lately, to guess when one will be free: an average that forgets. */
  #holdSeconds = 1;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Waits for a place.
   *
   * @throws {RequestFault} busy if too many wait, or this one waited too long; unavailable once closed
   */
  async enter(signal: AbortSignal): Promise<Leave> {
    if (this.#closed) throw draining();
    if (this.#running >= this.#limits.maxRunning) {
      if (this.#queue.size >= this.#limits.maxWaiting) throw this.#busy(`${this.#running} requests are being answered and ${this.#queue.size} wait`);
      await this.#wait(signal);
    } else this.#running++;
    const since = performance.now();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#holdSeconds += 0.1 * ((performance.now() - since) / 1000 - this.#holdSeconds);
      const [next] = this.#queue;
      if (next === undefined) this.#running--;
      else next(); // the place goes on to the next one
    };
  }

  /** Refuses whoever comes or waits from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves when nobody has a place any more. @returns whether that was in time */
  async idle(timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs;
    while (this.#running > 0 || this.#queue.size > 0) {
      if (performance.now() > end) return false;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return true;
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        this.#queue.delete(next);
      };
      const next = (): void => {
        done();
        resolve();
      };
      const stop = (): void => {
        done();
        reject(new RequestFault('unavailable', 'The request ended before it had its turn.'));
      };
      const timer = setTimeout(() => {
        done();
        reject(this.#busy(`this one waited ${this.#limits.queueTimeoutMs / 1000} seconds`));
      }, this.#limits.queueTimeoutMs);
      signal.addEventListener('abort', stop, { once: true });
      this.#queue.add(next);
      if (signal.aborted) stop();
    });
  }

  #busy(state: string): RequestFault {
    const seconds = Math.ceil(this.#holdSeconds * (this.#queue.size + 1) / this.#limits.maxRunning);
    return new RequestFault('busy', `Cannot answer now: ${state}. Ask again later.`, { retryAfterSeconds: Math.min(60, Math.max(1, seconds)) });
  }
}

/** What a server that is closing says. */
export function draining(): RequestFault {
  return new RequestFault('unavailable', 'Cannot answer: the server is closing. Ask again in a moment.', { retryAfterSeconds: 5 });
}
