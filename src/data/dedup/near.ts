// Near-copies over a whole corpus: MinHash signatures in bands propose, exact Jaccard similarity decides. Layer: data (file
// access). Out of core: the index has blocks of [count, numbers, signatures, one column for each band]; a column of the whole
// corpus is sorted at a time (8 bytes a document; in several ranges where that is beyond the bound), and the pairs it
// proposes are sorted in runs on disk. The first of a family stays: a document is dropped if it is near to one that is kept.

import { z } from 'zod';
import type { StageKind } from '../stage.ts';
import { Shingler, SIGNATURE_LENGTH } from '../shingles.ts';
import { BAND_PRESETS, bandHashes, MinHasher, type BandPreset } from './minhash.ts';
import { decideNear } from './near-decide.ts';
import { WordWriter } from './word-file.ts';

const options = z.strictObject({
  preset: z.enum(Object.keys(BAND_PRESETS) as [keyof typeof BAND_PRESETS]).default('default').describe('bands and rows: ours, or as published'),
  threshold: z.number().min(0).max(1).default(0.8).describe('Jaccard similarity of 5-grams from which a document is a near-copy'),
});
export type NearOptions = z.infer<typeof options>;

/** Documents of a block: bounds what an index holds in memory to some 40 MB. */
const BLOCK_DOCUMENTS = 2 ** 16;

/** Drops documents that are nearly the same as an earlier one. */
export const nearStage: StageKind<NearOptions> = {
  name: 'near',
  about: 'Drops documents that are near-copies of an earlier one (MinHash, then exact Jaccard similarity).',
  scope: 'corpus',
  options,
  start() {
    return (documents) => documents as AsyncIterable<never>; // the runner uses the phases
  },
  phases: {
    async index({ preset }, part, file, { memory }) {
      const writer = new WordWriter(file), block = new Block(BAND_PRESETS[preset], memory);
      try {
        for await (const { n, document } of part) {
          block.add(n, document.text);
          if (block.isFull) block.write(writer);
        }
        block.write(writer);
        writer.commit();
      } catch (error) {
        writer.discard();
        throw error;
      }
    },
    decide: (options, parts, context) => decideNear(BAND_PRESETS[options.preset], options.threshold, parts, context),
  },
};

class Block {
  readonly #preset: BandPreset;
  readonly #capacity: number;
  readonly #shingler = new Shingler();
  readonly #hasher: MinHasher;
  readonly #short = new MinHasher(SIGNATURE_LENGTH);
  readonly #signature: Uint32Array;
  readonly #band: Uint32Array;
  #numbers: number[] = [];
  #signatures: Uint32Array;
  #columns: number[][];

  constructor(preset: BandPreset, memory: number) {
    this.#preset = preset;
    this.#capacity = Math.max(64, Math.min(BLOCK_DOCUMENTS, Math.floor(memory / (8 * SIGNATURE_LENGTH + 16 * preset.bands))));
    this.#hasher = new MinHasher(preset.bands * preset.rows);
    this.#signature = new Uint32Array(preset.bands * preset.rows);
    this.#band = new Uint32Array(preset.bands);
    this.#signatures = new Uint32Array(SIGNATURE_LENGTH * 256);
    this.#columns = Array.from({ length: preset.bands }, () => []);
  }

  get isFull(): boolean {
    return this.#numbers.length >= this.#capacity;
  }

  /** A text without any word has no copies. */
  add(n: number, text: string): void {
    const shingles = this.#shingler.shingles(text), { bands, rows } = this.#preset;
    if (shingles.length === 0) return;
    const at = this.#numbers.length * SIGNATURE_LENGTH;
    if (at === this.#signatures.length) {
      const larger = new Uint32Array(2 * at);
      larger.set(this.#signatures);
      this.#signatures = larger;
    }
    this.#hasher.signature(shingles, this.#signature);
    const estimate = this.#signatures.subarray(at, at + SIGNATURE_LENGTH);
    if (this.#signature.length === SIGNATURE_LENGTH) estimate.set(this.#signature);
    else this.#short.signature(shingles, estimate);
    bandHashes(this.#signature, bands, rows, this.#band);
    for (let band = 0; band < bands; band++) this.#columns[band]!.push(this.#band[band]!);
    this.#numbers.push(n);
  }

  write(writer: WordWriter): void {
    const count = this.#numbers.length;
    if (count === 0) return;
    writer.word(count);
    writer.words(Uint32Array.from(this.#numbers));
    writer.words(this.#signatures.subarray(0, count * SIGNATURE_LENGTH));
    for (const column of this.#columns) writer.words(Uint32Array.from(column));
    this.#numbers = [];
    this.#columns = this.#columns.map(() => []);
  }
}
