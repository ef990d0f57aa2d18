// Tells spikes of the loss from its noise. Layer: train (pure).

/** Losses that the median is taken of. */
const WINDOW = 64;
/** Fewer losses say nothing about noise. */
const LEAST = 16;
/** The median absolute deviation of a normal distribution times this is its standard deviation. */
const NORMAL = 1.4826;
/** Losses of a memorised text hardly differ: noise is taken to be at least this share of the median. */
const LEAST_NOISE = 0.01;

/** Remembers the last losses and judges new ones by their median and its median absolute deviation. */
export class LossWatch {
  #losses: number[];

  /** @param losses what `history` of another watch was: it goes on from there */
  constructor(losses: readonly number[] = []) {
    this.#losses = losses.slice(-WINDOW);
  }

  /** The last losses, oldest first: the whole state. */
  get history(): readonly number[] {
    return this.#losses;
  }

  /** Whether a loss lies more than so many robust standard deviations above the running median. */
  isSpike(loss: number, deviations: number): boolean {
    if (this.#losses.length < LEAST) return false;
    const middle = median(this.#losses), noise = NORMAL * median(this.#losses.map((x) => Math.abs(x - middle)));
    return loss > middle + deviations * Math.max(noise, LEAST_NOISE * Math.abs(middle));
  }

  /** Takes a loss into the window; those that are not finite are left out. */
  add(loss: number): void {
    if (!Number.isFinite(loss)) return;
    this.#losses.push(loss);
    if (this.#losses.length > WINDOW) this.#losses.shift();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
