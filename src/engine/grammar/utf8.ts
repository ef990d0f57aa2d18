// Characters as UTF-8 bytes in an automaton. Layer: engine (pure). Source: The Unicode Standard, table 3-7.

import type { AutomatonBuilder } from './automaton.ts';

/** Last code points of one, two, three and four bytes. */
const LASTS = [0x7f, 0x7ff, 0xffff, 0x10ffff];

const bytesOf = (codePoint: number): Uint8Array => new TextEncoder().encode(String.fromCodePoint(codePoint));

/** Edges that lead to one state by the characters of ranges; continuation states are shared. */
export class CharacterEdges {
  readonly #builder: AutomatonBuilder;
  readonly #shared = new Map<number, number>();

  constructor(builder: AutomatonBuilder) {
    this.#builder = builder;
  }

  /** Adds edges for low..high (both included); surrogates are no characters and are left out. */
  add(from: number, low: number, high: number, to: number): void {
    if (low < 0xd800 && high >= 0xd800) {
      this.add(from, low, 0xd7ff, to);
      if (high > 0xdfff) this.add(from, 0xe000, high, to);
      return;
    }
    const start = low >= 0xd800 && low < 0xe000 ? 0xe000 : low;
    let first = start;
    for (const last of LASTS) {
      if (first > high) return;
      if (first > last) continue;
      const end = Math.min(high, last);
      this.#span(from, bytesOf(first), bytesOf(end), 0, to);
      first = end + 1;
    }
  }

  /** Between two encodings of one length. */
  #span(from: number, low: Uint8Array, high: Uint8Array, at: number, to: number): void {
    const rest = low.length - at - 1, a = low[at]!, b = high[at]!;
    if (rest === 0) return this.#builder.byte(from, a, b, to);
    if (a === b) {
      const next = this.#builder.state();
      this.#builder.byte(from, a, a, next);
      return this.#span(next, low, high, at + 1, to);
    }
    const full = low.subarray(at + 1).every((byte) => byte === 0x80), fullEnd = high.subarray(at + 1).every((byte) => byte === 0xbf);
    const first = full ? a : a + 1, last = fullEnd ? b : b - 1;
    if (!full) this.#span(from, low, Uint8Array.from(low, (byte, i) => (i <= at ? byte : 0xbf)), at, to);
    if (first <= last) this.#builder.byte(from, first, last, this.#continuation(rest, to));
    if (!fullEnd) this.#span(from, Uint8Array.from(high, (byte, i) => (i <= at ? byte : 0x80)), high, at, to);
  }

  /** A state behind which `count` continuation bytes lead to `to`. */
  #continuation(count: number, to: number): number {
    const key = to * 4 + count, known = this.#shared.get(key);
    if (known !== undefined) return known;
    const state = this.#builder.state();
    this.#shared.set(key, state);
    this.#builder.byte(state, 0x80, 0xbf, count === 1 ? to : this.#continuation(count - 1, to));
    return state;
  }
}
