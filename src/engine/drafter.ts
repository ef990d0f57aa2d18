// Who guesses the next tokens. Layer: engine.

import type { Sequence } from './sequence.ts';

export interface Drafter {
  /** How many tokens it could guess for a sequence now, at most `most`; cheap. */
  reach(sequence: Sequence, most: number): number;
  /** Sets `draft` of sequences, to at most `most` tokens each. */
  propose(sequences: readonly Sequence[], most: number): Promise<void> | void;
  /** Seconds that `propose` is expected to take. */
  cost(sequences: number, most: number): number;
  /** A sequence has ended. */
  forget(sequence: Sequence): void;
  close(): Promise<void>;
}
