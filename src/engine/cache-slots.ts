// Rows of the KV cache, lent to sequences. Layer: engine. A sequence takes all that it may need when it starts, so that a
// running one never fails for memory; preemption and sharing belong to a server.

import { CapacityError } from '../base/errors.ts';

export class CacheSlots {
  readonly #free: number[];
  readonly #total: number;

  constructor(total: number) {
    this.#total = total;
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i); // taken from the end: lowest first
  }

  get free(): number {
    return this.#free.length;
  }

  /** Rows for a sequence, or undefined while others hold them. @throws {CapacityError} if there are not so many at all */
  take(n: number): Int32Array | undefined {
    if (n > this.#total) throw new CapacityError(`Cannot hold a sequence of ${n} tokens: the cache has ${this.#total} rows. Open the engine with more.`, { need: n, have: this.#total });
    if (n > this.#free.length) return undefined;
    return Int32Array.from({ length: n }, () => this.#free.pop()!);
  }

  giveBack(slots: Int32Array): void {
    for (let i = slots.length - 1; i >= 0; i--) this.#free.push(slots[i]!);
  }
}
