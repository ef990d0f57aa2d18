// MinHash signatures of any length and their bands. Layer: data (pure).
// One-permutation hashing with optimal densification as in shingles.ts (Li, Owen & Zhang 2012; Shrivastava 2017, arXiv
// 1703.04664): each shingle is hashed once, whatever the length of the signature.

/** Bands of rows, and how a proposed pair is judged. */
export type BandPreset = {
  readonly bands: number;
  readonly rows: number;
  /** Whether pairs that share a band are compared by exact Jaccard similarity, or dropped as they are. */
  readonly verify: boolean;
  readonly source: string;
};

/** Published settings, with our own as the default. */
export const BAND_PRESETS = {
  // A pair of 0.8 is proposed but for 1 in 10^7 (1 - (1 - 0.8^4)^32), one of 0.5 with probability 0.87: candidates are many
  // and the exact comparison decides.
  default: { bands: 32, rows: 4, verify: true, source: 'ours: recall first, then exact Jaccard similarity' },
  fineweb: { bands: 14, rows: 8, verify: false, source: 'Penedo et al. 2024, arXiv 2406.17557, section 3.4: 112 hashes of 5-grams' },
  gopher: { bands: 20, rows: 450, verify: false, source: 'RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, appendix G.3.1): 9000 hashes of 5-grams' },
  lee: { bands: 20, rows: 450, verify: true, source: 'Lee et al. 2022, arXiv 2107.06499, appendix A: 9000 hashes of 5-grams, then similarity 0.8' },
} as const satisfies Readonly<Record<string, BandPreset>>;

const EMPTY = 0xffffffff;
const STEP = 0x9e3779b1;

/** Makes signatures of one length. */
export class MinHasher {
  readonly length: number;
  readonly #bins: Uint32Array;

  constructor(length: number) {
    this.length = length;
    this.#bins = new Uint32Array(length);
  }

  /** @param shingles hashes, at least one; repetitions do no harm */
  signature(shingles: Uint32Array, out: Uint32Array): void {
    const { length } = this, bins = this.#bins.fill(EMPTY), scale = length / 2 ** 32;
    for (let i = 0; i < shingles.length; i++) {
      const hash = shingles[i]!, bin = (hash * scale) | 0;
      if (hash < bins[bin]!) bins[bin] = hash;
    }
    for (let bin = 0; bin < length; bin++) {
      let from = bin;
      for (let attempt = 1; bins[from] === EMPTY; attempt++) from = (mix(bin * 0x10001 + attempt * STEP) * scale) | 0;
      out[bin] = bins[from]!;
    }
  }
}

/** One word for each band of a signature. */
export function bandHashes(signature: Uint32Array, bands: number, rows: number, out: Uint32Array): void {
  for (let band = 0, at = 0; band < bands; band++) {
    let hash = band;
    for (let row = 0; row < rows; row++) hash = mix(Math.imul(hash, STEP) ^ signature[at++]!);
    out[band] = hash;
  }
}

/** MurmurHash3's 32-bit finaliser. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
