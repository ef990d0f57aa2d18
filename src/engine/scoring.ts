// Logits of a text that is there already: what follows each of its tokens. Layer: engine.

import type { PartQueue } from './part-queue.ts';
import type { Reader, Sequence } from './sequence.ts';

export type PositionLogits = readonly [position: number, logits: Float32Array];

export class Scoring implements Reader {
  readonly rows: PartQueue<PositionLogits>;
  readonly #sequence: Sequence;
  readonly #onEnd: () => void;
  #from: number;

  /** @param from the first position whose logits are wanted */
  constructor(sequence: Sequence, from: number, rows: PartQueue<PositionLogits>, onEnd: () => void) {
    this.#sequence = sequence;
    this.#from = from;
    this.rows = rows;
    this.#onEnd = onEnd;
  }

  get isStalled(): boolean {
    return this.rows.isFull;
  }

  get from(): number {
    return this.#from;
  }

  take(position: number, logits: Float32Array): boolean {
    if (position < this.#from) return true; // run once more after a preemption
    this.#from = position + 1;
    this.rows.push([position, logits]);
    if (position === this.#sequence.ids.length - 1) {
      this.rows.end();
      this.#onEnd();
    }
    return true;
  }

  end(failure?: unknown): void {
    this.rows.end(failure);
  }
}
