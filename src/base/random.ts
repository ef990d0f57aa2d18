// Random numbers: counter-based, so that any element of any stream can be computed alone. Layer: base.
// Philox4x32-10 of Salmon et al. 2011 ("Parallel random numbers: as easy as 1, 2, 3", section 3.3); the constants are
// theirs. The same (seed, stream, index) gives the same bits on every machine and for any number of threads.

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** High 32 bits of the unsigned product a·b. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const low = a0 * b0;
  const mid = a1 * b0 + (low >>> 16); // < 2^33: exact in a double
  const mid2 = a0 * b1 + (mid % 0x10000);
  return (a1 * b1 + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000)) >>> 0;
}

/**
 * Philox4x32-10: four 32-bit words for one counter block.
 *
 * @param out four words are written here
 * @param index which block of the stream, an integer below 2^53
 */
export function philox(out: Uint32Array, seed: number, stream: number, index: number): void {
  let c0 = index >>> 0, c1 = Math.floor(index / 0x100000000) >>> 0, c2 = stream >>> 0, c3 = 0;
  let k0 = seed >>> 0, k1 = Math.floor(seed / 0x100000000) >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = mulHigh(MULTIPLIER_0, c0), low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = mulHigh(MULTIPLIER_1, c2), low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** FNV-1a (32 bits) of a name, to turn `blocks.0.attn.q.weight` into a stream of its own. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * A sequential reader over one Philox stream.
 *
 * @example
 * const random = new Random(7, 'data.shuffle');
 * random.int(10); // the same on every machine
 */
export class Random {
  readonly #seed: number;
  readonly #stream: number;
  readonly #block = new Uint32Array(4);
  #position: number;

  /** @param position how many words were drawn before; `position` of another reader resumes it exactly */
  constructor(seed: number, stream: string | number = 0, position = 0) {
    this.#seed = seed;
    this.#stream = typeof stream === 'number' ? stream : streamOf(stream);
    this.#position = position;
    if (position % 4 !== 0) philox(this.#block, seed, this.#stream, Math.floor(position / 4));
  }

  /** Words drawn so far: the whole state of the reader. */
  get position(): number {
    return this.#position;
  }

  /** A uniform integer of 32 bits. */
  word(): number {
    const lane = this.#position % 4;
    if (lane === 0) philox(this.#block, this.#seed, this.#stream, Math.floor(this.#position / 4));
    this.#position++;
    return this.#block[lane]!;
  }

  /** A uniform number in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.word() >>> 5, low = this.word() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /** A uniform integer in [0, bound), without bias (rejection). @param bound 1 … 2^32 */
  int(bound: number): number {
    const limit = 0x100000000 - (0x100000000 % bound);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % bound;
  }

  /** A standard normal number (Box–Muller; the second of the pair is not kept, so position stays the whole state). */
  normal(): number {
    const u = 1 - this.uniform();
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Shuffles in place (Fisher–Yates). */
  shuffle<T>(items: T[] | Uint32Array): void {
    const array = items as { length: number; [i: number]: T };
    for (let i = array.length - 1; i > 0; i--) {
      const j = this.int(i + 1), swap = array[i]!;
      array[i] = array[j]!;
      array[j] = swap;
    }
  }
}
