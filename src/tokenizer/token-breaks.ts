// Places in a piece that no token crosses. Layer: tokenizer (pure).
// Chinese and other text without blanks comes in long pieces that are seldom seen twice. Merging takes time with the
// square of the length, but merges never cross a place that no token of the vocabulary contains, so both sides can be
// merged alone, with the same result.

const BITS = 20; // of the filter of triples: 128 KiB, a tenth full with GPT-2's vocabulary
const BYTES = 1 << (BITS - 3);

function hashTriple(a: number, b: number, c: number): number {
  return Math.imul((a << 16) | (b << 8) | c, 0x9e3779b1) >>> (32 - BITS);
}

/** Which neighbouring bytes some token contains; may say yes too often, never no. */
export class TokenBreaks {
  readonly #pairs = new Uint8Array(65536 / 8); // tokens of exactly two bytes
  readonly #triples = new Uint8Array(BYTES); // three bytes inside a token, hashed

  /** @param tokens the bytes of every token that merging can give */
  constructor(tokens: Iterable<Uint8Array>) {
    for (const token of tokens) {
      if (token.length === 2) {
        const pair = (token[0]! << 8) | token[1]!;
        this.#pairs[pair >> 3]! |= 1 << (pair & 7);
      }
      for (let i = 0; i + 2 < token.length; i++) {
        const hash = hashTriple(token[i]!, token[i + 1]!, token[i + 2]!);
        this.#triples[hash >> 3]! |= 1 << (hash & 7);
      }
    }
  }

  /**
   * Whether the piece bytes[start..end) breaks before `at`: a token across it would be the two bytes around it, or hold
   * three bytes of which it parts the first or the last. Only asked beside characters that are not ASCII.
   */
  isBreak(bytes: Uint8Array, start: number, at: number, end: number): boolean {
    const before = bytes[at - 1]!, after = bytes[at]!;
    if ((after & 0xc0) === 0x80 || (before | after) < 0x80) return false; // inside a character, or between ASCII ones
    const pair = (before << 8) | after;
    if ((this.#pairs[pair >> 3]! & (1 << (pair & 7))) !== 0) return false;
    if (at - 2 >= start && this.#hasTriple(bytes[at - 2]!, before, after)) return false;
    return at + 1 >= end || !this.#hasTriple(before, after, bytes[at + 1]!);
  }

  #hasTriple(a: number, b: number, c: number): boolean {
    const hash = hashTriple(a, b, c);
    return (this.#triples[hash >> 3]! & (1 << (hash & 7))) !== 0;
  }
}
