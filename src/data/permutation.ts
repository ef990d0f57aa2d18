// A pseudo-random permutation of 0 … size-1 that needs no table. Layer: data (pure).
// A balanced Feistel network over the next power of four, walked until it lands inside the domain (cycle walking:
// Black & Rogaway 2002, "Ciphers with arbitrary finite domains"). At most four steps on average. The mixing is MurmurHash3's
// finaliser: good enough to shuffle, not to hide.

import { philox } from '../base/random.ts';

/** Four rounds make a random-looking permutation (Luby & Rackoff 1988); eight because halves are small and mixing is not a PRF. */
const ROUNDS = 8;

/** MurmurHash3's 32-bit finaliser. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * A permutation of the integers below `size`, chosen by (seed, stream, epoch), in constant memory.
 *
 * @example
 * const permutation = new Permutation(1000, { seed: 7, stream: 1, epoch: 0 });
 * permutation.at(0); // some number below 1000; all of 0 … 999 give each of them once
 */
export class Permutation {
  readonly size: number;
  readonly #half: number;
  readonly #mask: number;
  readonly #keys = new Uint32Array(ROUNDS);

  /** @param size 1 … 2^52 */
  constructor(size: number, key: { seed: number; stream: number; epoch: number }) {
    this.size = size;
    let bits = 1;
    while (4 ** bits < size) bits++;
    this.#half = 2 ** bits;
    this.#mask = this.#half - 1;
    const block = new Uint32Array(4);
    for (let i = 0; i < ROUNDS; i += 4) {
      philox(block, key.seed, key.stream, key.epoch * (ROUNDS / 4) + i / 4);
      this.#keys.set(block, i);
    }
  }

  /** Where `index` goes. @param index 0 … size-1 */
  at(index: number): number {
    let value = index;
    do value = this.#encrypt(value); while (value >= this.size);
    return value;
  }

  #encrypt(value: number): number {
    let left = Math.floor(value / this.#half), right = value % this.#half;
    for (let round = 0; round < ROUNDS; round++) {
      const next = (left ^ (mix(right ^ this.#keys[round]!) & this.#mask)) >>> 0;
      left = right;
      right = next;
    }
    return left * this.#half + right;
  }
}
