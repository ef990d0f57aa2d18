// One request inside the engine: its tokens, its place and its share of the cache. Layer: engine.

/** What is done with a sequence's logits. */
export interface Reader {
  /** Whether its consumer is behind: it is not run until that has read. */
  readonly isStalled: boolean;
  /** The first position whose logits are wanted, of those that were not run yet. */
  readonly from: number;
  /**
   * Takes logits in the order of positions, [V] each.
   *
   * @param position of the token that they come after
   * @param next the token that a draft has after it, or undefined
   * @returns whether the draft was right, so that what was run after it counts
   */
  take(position: number, logits: Float32Array, next: number | undefined): boolean;
  /** Called when the sequence ends from outside: with an error, or because nobody reads any more. */
  end(failure?: unknown): void;
}

export interface SequenceOptions {
  readonly ids: number[];
  readonly priority: number;
  readonly chain: string;
  /** Most tokens that it may have. */
  readonly limit: number;
  /** Tokens that the engine had scheduled when this came. */
  readonly clock: number;
  readonly order: number;
}

export class Sequence {
  /** Prompt and answer. */
  readonly ids: number[];
  readonly priority: number;
  /** When it would be through if it were alone: short prompts pass long ones, but none waits for ever. */
  readonly due: number;
  readonly order: number;
  readonly limit: number;
  reader!: Reader;
  /** Its row in the decoder's table; −1 while it waits. */
  row = -1;
  readonly blocks: number[] = [];
  /** Tokens whose keys and values are in the cache. */
  computed = 0;
  /** Of the prompt, those that were there when it first got a place. */
  cachedTokens: number | undefined;
  /** Its first blocks that others can find, and the chain after them. */
  registered = 0;
  readonly start: string;
  chain: string;
  /** Tokens that may follow `ids`; the next run tells. */
  draft: readonly number[] = [];
  done = false;

  constructor({ ids, priority, chain, limit, clock, order }: SequenceOptions) {
    this.ids = ids;
    this.priority = priority;
    this.limit = limit;
    this.start = this.chain = chain;
    this.due = clock + ids.length;
    this.order = order;
  }

  get pending(): number {
    return this.ids.length - this.computed;
  }

  /** Whether it goes before another. */
  isBefore(other: Sequence): boolean {
    if (this.priority !== other.priority) return this.priority > other.priority;
    return this.due !== other.due ? this.due < other.due : this.order < other.order;
  }
}

/** Puts a sequence in its place among ordered ones. */
export function insert(sequences: Sequence[], sequence: Sequence): void {
  let at = sequences.length;
  while (at > 0 && sequence.isBefore(sequences[at - 1]!)) at--;
  sequences.splice(at, 0, sequence);
}
