// How often each source is read: weights, temperature and bounds to epochs. Layer: data (pure).

import { createHash } from 'node:crypto';

/** A source with its size and what a recipe says of it. */
export type MixedSource = { readonly bytes: number; readonly weight?: number | undefined; readonly epochs?: number | undefined };

/** Beyond four passes over the same text a model learns less and less from it (Muennighoff et al. 2023, arXiv 2305.16264). */
const MAX_EPOCHS = 4;

/**
 * Epochs of each source. Shares are proportional to weights; a source without one weighs bytes^(1/temperature) (temperature
 * 1: as it lies; higher: small sources count for more, as in mBERT and XLM). `epochs` of a source is taken as it is.
 *
 * @param options `bytes`: of the whole mix (default: as many as there are); `maxEpochs`: no source is read more often
 * @returns 1 for each if nothing was asked for
 */
export function mixEpochs(sources: readonly MixedSource[], options: { readonly temperature?: number | undefined; readonly bytes?: number | undefined; readonly maxEpochs?: number | undefined } = {}): number[] {
  const { temperature = 1, maxEpochs = MAX_EPOCHS } = options, total = options.bytes ?? sources.reduce((sum, { bytes }) => sum + bytes, 0);
  const isPlain = options.bytes === undefined && temperature === 1 && sources.every(({ weight }) => weight === undefined);
  const free = sources.filter(({ epochs, bytes }) => epochs === undefined && bytes > 0);
  const weightOf = ({ weight, bytes }: MixedSource): number => weight ?? bytes ** (1 / temperature);
  // A weight is a share beside other weights; sizes are shares beside other sizes. Where both are, sizes are scaled to sum to 1 a source.
  const mean = free.filter(({ weight }) => weight === undefined).reduce((sum, source, _, list) => sum + weightOf(source) / list.length, 0);
  const scaled = (source: MixedSource): number => (source.weight ?? (free.some(({ weight }) => weight !== undefined) ? weightOf(source) / mean : weightOf(source)));
  const sum = free.reduce((all, source) => all + scaled(source), 0), fixed = sources.reduce((all, { epochs = 0, bytes }) => all + epochs * bytes, 0);
  return sources.map((source) => {
    if (source.epochs !== undefined) return source.epochs;
    if (isPlain || source.bytes === 0) return 1;
    return Math.min(maxEpochs, (Math.max(0, total - fixed) * scaled(source)) / sum / source.bytes);
  });
}

/** A number in [0, 1) that depends on the seed and a name alone. */
export function hashShare(seed: number, name: string): number {
  const bytes = createHash('sha256').update(`${seed}\0${name}`).digest();
  return (bytes.readUInt32LE(0) + (bytes.readUInt32LE(4) >>> 12) * 2 ** 32) / 2 ** 52;
}

/** How often a document is written: the whole part of the epochs, and once more for a share of the documents. */
export function copiesOf(epochs: number, seed: number, id: string): number {
  const whole = Math.floor(epochs), share = epochs - whole;
  return whole + (share > 0 && hashShare(seed, `copies\0${id}`) < share ? 1 : 0);
}
