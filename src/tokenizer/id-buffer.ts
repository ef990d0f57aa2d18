// A growing array of token ids. Layer: tokenizer (pure).

/** Ids in the order in which they were pushed. Hot loops reserve first, then write `data` and `length` themselves. */
export class IdBuffer {
  data: Uint32Array;
  length = 0;

  constructor(capacity = 64) {
    this.data = new Uint32Array(capacity);
  }

  /** Makes room for `more` ids behind the present ones. */
  reserve(more: number): void {
    if (this.length + more <= this.data.length) return;
    const larger = new Uint32Array(Math.max(this.length + more, this.data.length * 2));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }

  push(id: number): void {
    this.reserve(1);
    this.data[this.length++] = id;
  }

  /** A copy of the ids, of exactly their length. */
  take(): Uint32Array {
    return this.data.slice(0, this.length);
  }
}
