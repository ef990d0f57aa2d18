// A byte-level n-gram model: the classical yardstick for a language model's bits per byte. Layer: data (pure).
// Interpolated Witten–Bell smoothing: p(c|h) = (n(h,c) + t(h)·p(c|h')) / (n(h) + t(h)), where h' is h without its oldest
// byte, n counts and t is the number of distinct bytes seen after h; below the single bytes lies the uniform 1/256.
// Witten & Bell 1991, IEEE Trans. Information Theory 37(4), method C; interpolated as in Chen & Goodman 1998, TR-10-98, §2.6.

/** Counts of (context, byte) pairs for contexts of one length: open addressing, at most 5/8 full. */
class PairTable {
  contexts = new Uint32Array(1024);
  symbols = new Uint8Array(1024);
  counts = new Uint32Array(1024);
  size = 0;

  /** Where the pair is, or the free place where it belongs. */
  find(context: number, symbol: number): number {
    const { contexts, symbols, counts } = this, mask = counts.length - 1;
    let at = slotOf(context, symbol, mask);
    while (counts[at] !== 0 && (contexts[at] !== context || symbols[at] !== symbol)) at = (at + 1) & mask;
    return at;
  }

  add(context: number, symbol: number, count = 1): void {
    const at = this.find(context, symbol);
    if (this.counts[at] === 0) {
      this.contexts[at] = context;
      this.symbols[at] = symbol;
      this.size++;
    }
    this.counts[at]! += count;
    if (8 * this.size > 5 * this.counts.length) this.#grow();
  }

  #grow(): void {
    const { contexts, symbols, counts } = this, length = 4 * counts.length;
    this.contexts = new Uint32Array(length);
    this.symbols = new Uint8Array(length);
    this.counts = new Uint32Array(length);
    this.size = 0;
    for (let i = 0; i < counts.length; i++) if (counts[i] !== 0) this.add(contexts[i]!, symbols[i]!, counts[i]!);
  }
}

/** Fibonacci hashing with the finishing steps of MurmurHash3, so that neighbouring contexts spread. */
function slotOf(context: number, symbol: number, mask: number): number {
  let h = Math.imul(context ^ Math.imul(symbol + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & mask;
}

/**
 * An n-gram model of bytes.
 *
 * @example
 * const model = new NgramModel(5);
 * model.add(new TextEncoder().encode('to be or not to be'));
 * model.bitsOf(new TextEncoder().encode('not to be')); // bits for all nine bytes
 */
export class NgramModel {
  readonly order: number;
  /** By length of the context, 0 … order−1. */
  readonly #pairs: readonly PairTable[];
  /** Counts n(h) (as symbol 0) and t(h) (as symbol 1), made when they are first needed after an `add`. */
  #contexts: readonly PairTable[] | undefined;

  /** @param order n, 1 to 5: contexts of at most four bytes fit one 32-bit number */
  constructor(order: 1 | 2 | 3 | 4 | 5 = 5) {
    this.order = order;
    this.#pairs = Array.from({ length: order }, () => new PairTable());
  }

  /** Distinct n-grams of all lengths. */
  get grams(): number {
    return this.#pairs.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that the counts need at least: the n-grams with their counts, packed. */
  get sizeBytes(): number {
    return this.#pairs.reduce((sum, { size }, length) => sum + size * (length + 1 + 4), 0);
  }

  /** Learns one text; contexts do not reach over its beginning. */
  add(text: Uint8Array): void {
    this.#contexts = undefined;
    for (let i = 0; i < text.length; i++) {
      const symbol = text[i]!;
      for (let length = 0, context = 0; length < this.order && length <= i; length++) {
        if (length > 0) context = (context | (text[i - length]! << (8 * (length - 1)))) >>> 0;
        this.#pairs[length]!.add(context, symbol);
      }
    }
  }

  /** Bits that the model needs for a text, all its bytes together. */
  bitsOf(text: Uint8Array): number {
    const contexts = (this.#contexts ??= this.#pairs.map(countContexts));
    let bits = 0;
    for (let i = 0; i < text.length; i++) {
      const symbol = text[i]!;
      let p = 1 / 256;
      for (let length = 0, context = 0; length < this.order && length <= i; length++) {
        if (length > 0) context = (context | (text[i - length]! << (8 * (length - 1)))) >>> 0;
        const totals = contexts[length]!, n = totals.counts[totals.find(context, 0)]!;
        if (n === 0) break; // a longer context was not seen either
        const t = totals.counts[totals.find(context, 1)]!, pairs = this.#pairs[length]!;
        p = (pairs.counts[pairs.find(context, symbol)]! + t * p) / (n + t);
      }
      bits -= Math.log2(p);
    }
    return bits;
  }
}

function countContexts({ contexts, counts }: PairTable): PairTable {
  const totals = new PairTable();
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    totals.add(contexts[i]!, 0, counts[i]!);
    totals.add(contexts[i]!, 1);
  }
  return totals;
}
