// What a request has produced and its reader has not taken yet. Layer: engine.

/** An end comes once, whatever happens after it. */
export class PartQueue<T> {
  readonly #most: number;
  readonly #onRoom: () => void;
  #parts: T[] = [];
  #ended = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  /**
   * @param most parts after which the reader counts as slow: who fills the queue waits until it has read
   * @param onRoom called when a full queue has room again
   */
  constructor(most: number, onRoom: () => void) {
    this.#most = most;
    this.#onRoom = onRoom;
  }

  get isFull(): boolean {
    return this.#parts.length >= this.#most;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(part: T): void {
    if (this.#ended) return;
    this.#parts.push(part);
    this.#wake?.();
  }

  /** Nothing comes after this. With a failure, the reader gets it after what was there. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** Reads until the end. @throws what it ended with */
  async *read(): AsyncGenerator<T, void> {
    for (;;) {
      while (this.#parts.length > 0) {
        const parts = this.#parts; // whatever has gathered, without moving the rest for each
        this.#parts = [];
        if (parts.length >= this.#most) this.#onRoom();
        yield* parts;
      }
      if (this.#ended) break;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
