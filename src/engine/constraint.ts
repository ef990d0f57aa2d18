// What the engine asks of a constraint on an answer: a grammar, a schema, a regular expression. Layer: engine.

export interface Constraint {
  /** Sets bit `id & 31` of word `id >> 5` for each token that may come next, and clears the others. */
  fillMask(mask: Uint32Array): void;
  /** Takes a token. @returns false if it is not allowed; then nothing has changed */
  accept(id: number): boolean;
  /** Whether the answer may end here. */
  readonly canEnd: boolean;
  /** Whether it must. */
  readonly mustEnd: boolean;
  /** A copy that goes its own way. */
  fork(): Constraint;
}
