// The n largest of many numbers, in order. Layer: engine.

/**
 * Collects the largest numbers that it is offered, with their ids; of equal ones the lowest ids. A heap with the worst on
 * top, so that most of a vocabulary costs one comparison each. Made once, used for every token.
 */
export class Largest {
  #ids = new Int32Array(64);
  #values = new Float64Array(64);
  #size = 0;
  #most = 0;

  /** Begins again, to keep `most`. */
  reset(most: number): void {
    this.#size = 0;
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** What is ready after `sort()`: the i-th largest. */
  id(i: number): number {
    return this.#ids[i]!;
  }

  value(i: number): number {
    return this.#values[i]!;
  }

  /** Takes all of an array; NaN and −∞ are left out. */
  offerAll(values: Float32Array): void {
    for (let id = 0; id < values.length; id++) {
      const value = values[id]!;
      if (this.#size < this.#most ? value > -Infinity : value > this.#values[0]!) this.offer(id, value);
    }
  }

  /** Takes one. Equal ones must come with rising ids. */
  offer(id: number, value: number): void {
    if (this.#size < this.#most) {
      if (this.#size === this.#ids.length) this.#grow();
      this.#rise(this.#size++, id, value);
    } else if (this.#most > 0 && value > this.#values[0]!) this.#sink(0, this.#size, id, value);
  }

  /** Puts the largest first. Afterwards only reading and `reset` make sense. */
  sort(): void {
    for (let end = this.#size - 1; end > 0; end--) {
      const id = this.#ids[end]!, value = this.#values[end]!;
      this.#ids[end] = this.#ids[0]!;
      this.#values[end] = this.#values[0]!;
      this.#sink(0, end, id, value);
    }
  }

  #grow(): void {
    const ids = new Int32Array(2 * this.#ids.length), values = new Float64Array(2 * this.#ids.length);
    ids.set(this.#ids);
    values.set(this.#values);
    this.#ids = ids;
    this.#values = values;
  }

  /** Whether the first is worse: smaller, or as large with a higher id. */
  #isWorse(id: number, value: number, at: number): boolean {
    const other = this.#values[at]!;
    return value < other || (value === other && id > this.#ids[at]!);
  }

  #rise(at: number, id: number, value: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isWorse(id, value, parent)) break;
      this.#move(at, parent);
      at = parent;
    }
    this.#put(at, id, value);
  }

  #sink(at: number, size: number, id: number, value: number): void {
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isWorse(this.#ids[child + 1]!, this.#values[child + 1]!, child)) child++;
      if (this.#isWorse(id, value, child)) break;
      this.#move(at, child);
      at = child;
    }
    this.#put(at, id, value);
  }

  #move(to: number, from: number): void {
    this.#ids[to] = this.#ids[from]!;
    this.#values[to] = this.#values[from]!;
  }

  #put(at: number, id: number, value: number): void {
    this.#ids[at] = id;
    this.#values[at] = value;
  }
}
