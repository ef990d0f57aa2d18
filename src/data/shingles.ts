// Shingles and MinHash signatures of a text. Layer: data (pure).
// A unit is a word (letters and digits, ASCII case folded) or one CJK character; a shingle is five units in a row, so that
// five English words and five Chinese characters weigh alike. Punctuation and white space do not count.
// The signature is one-permutation hashing (Li, Owen & Zhang 2012): each shingle is hashed once and keeps the least value of
// its bin; empty bins borrow by optimal densification (Shrivastava 2017, arXiv 1703.04664).

/** Units in a shingle: Broder's and most of the field's choice lies between 4 and 10; 5 as in FineWeb (arXiv 2406.17557). */
const UNITS = 5;
/** Numbers in a signature: the standard error of an estimated similarity of 0.8 is then 0.035. */
export const SIGNATURE_LENGTH = 128;
const BIN_SHIFT = 25; // 32 - log2(SIGNATURE_LENGTH)
/** Odd multiplier of the rolling polynomial (Knuth's golden ratio for 32 bits), and its fifth (UNITS-th) power mod 2^32. */
const BASE = 0x9e3779b1;
const OLDEST = Math.imul(Math.imul(Math.imul(BASE, BASE), Math.imul(BASE, BASE)), BASE);
const EMPTY = 0xffffffff;

/** Classes of 16-bit code units. */
const SEPARATOR = 0, WORD = 1, SINGLE = 2;

function classify(code: number): number {
  if (code < 0x80) return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 ? WORD : SEPARATOR;
  if (code < 0xc0 || (code >= 0x2000 && code < 0x2e80) || (code >= 0x3000 && code < 0x3040)) return SEPARATOR;
  if ((code >= 0x3040 && code < 0x3100) || (code >= 0x3400 && code < 0xa000) || (code >= 0xd800 && code < 0xe000) || (code >= 0xf900 && code < 0xfb00)) return SINGLE;
  return code >= 0xfe30 && code < 0xff10 ? SEPARATOR : WORD;
}

/** Makes shingles and signatures; holds buffers that it uses again. */
export class Shingler {
  readonly #classes = Uint8Array.from({ length: 0x10000 }, (_, code) => classify(code));
  #hashes = new Uint32Array(1024);
  readonly #bins = new Uint32Array(SIGNATURE_LENGTH);

  /**
   * Hashes of all shingles, in order, with repetitions; one for the whole if the text has fewer than five units.
   *
   * @returns a view of a buffer that the next call overwrites; empty if the text has no units
   */
  shingles(text: string): Uint32Array {
    if (this.#hashes.length < text.length) this.#hashes = new Uint32Array(Math.ceil(text.length * 1.25));
    const classes = this.#classes, hashes = this.#hashes, ring = new Uint32Array(UNITS);
    let units = 0, found = 0, rolling = 0, word = 0, inWord = false, slot = 0;
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : 32, kind = classes[code]!;
      if (kind === WORD) {
        const folded = code >= 65 && code <= 90 ? code | 32 : code;
        word = Math.imul((inWord ? word : 0x811c9dc5) ^ folded, 0x01000193); // FNV-1a
        inWord = true;
        continue;
      }
      // A separator ends a word; a single character ends one and is one: at most two units here.
      for (let part = inWord ? 0 : 1; part < (kind === SINGLE ? 2 : 1); part++) {
        const unit = mix(part === 0 ? word : code + 0x10000);
        rolling = (Math.imul(rolling, BASE) + unit - Math.imul(ring[slot]!, OLDEST)) | 0;
        ring[slot] = unit;
        slot = slot === UNITS - 1 ? 0 : slot + 1;
        if (++units >= UNITS) hashes[found++] = mix(rolling);
      }
      inWord = false;
    }
    if (found === 0 && units > 0) hashes[found++] = mix(rolling);
    return hashes.subarray(0, found);
  }

  /** The set of shingles, ascending. */
  shingleSet(text: string): Uint32Array {
    const sorted = this.shingles(text).slice().sort();
    let length = 0;
    for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[length++] = sorted[i]!;
    return sorted.subarray(0, length);
  }

  /**
   * Writes the signature of a text.
   *
   * @param out SIGNATURE_LENGTH numbers, of which a share near the Jaccard similarity is equal between two texts
   * @returns false if the text has no units: then there is no signature
   */
  signature(text: string, out: Uint32Array): boolean {
    const shingles = this.shingles(text), bins = this.#bins.fill(EMPTY);
    for (let i = 0; i < shingles.length; i++) {
      const hash = shingles[i]!, bin = hash >>> BIN_SHIFT;
      if (hash < bins[bin]!) bins[bin] = hash;
    }
    if (shingles.length === 0) return false;
    for (let bin = 0; bin < SIGNATURE_LENGTH; bin++) {
      let from = bin;
      for (let attempt = 1; bins[from] === EMPTY; attempt++) from = mix(bin * 0x10001 + attempt * BASE) >>> BIN_SHIFT;
      out[bin] = bins[from]!;
    }
    return true;
  }
}

/** MurmurHash3's 32-bit finaliser. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Jaccard similarity |a ∩ b| / |a ∪ b| of two ascending sets; exact but for equal hashes of different shingles (2^-32). */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let i = 0, j = 0, both = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!, y = b[j]!;
    if (x === y) both++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  const union = a.length + b.length - both;
  return union === 0 ? 0 : both / union;
}
