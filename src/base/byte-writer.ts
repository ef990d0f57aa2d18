// A byte buffer that grows as numbers are written to it, all little endian. Layer: base (pure).

export class ByteWriter {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(x: number): void {
    const at = this.#reserve(1); // may replace the view, here and below
    this.#view.setUint8(at, x);
  }

  i8(x: number): void {
    const at = this.#reserve(1);
    this.#view.setInt8(at, x);
  }

  u16(x: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, x, true);
  }

  i16(x: number): void {
    const at = this.#reserve(2);
    this.#view.setInt16(at, x, true);
  }

  u32(x: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, x, true);
  }

  i32(x: number): void {
    const at = this.#reserve(4);
    this.#view.setInt32(at, x, true);
  }

  u64(x: number | bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, BigInt(x), true);
  }

  i64(x: number | bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, BigInt(x), true);
  }

  f32(x: number): void {
    const at = this.#reserve(4);
    this.#view.setFloat32(at, x, true);
  }

  f64(x: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, x, true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Zeros up to a multiple of `alignment`. */
  pad(alignment: number): void {
    this.#reserve((alignment - (this.#length % alignment)) % alignment);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room. @returns where it begins */
  #reserve(n: number): number {
    const at = this.#length;
    if (at + n > this.#bytes.length) {
      const larger = new Uint8Array(2 * (at + n));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length += n;
    return at;
  }
}
