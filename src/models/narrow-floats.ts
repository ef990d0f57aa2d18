// Sixteen-bit floats of checkpoints to f32, exactly. Layer: models.

/** bf16 is the upper half of an f32. */
export function widenBf16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < words.length; i++) words[i] = bits[i]! << 16;
}

/** IEEE 754 binary16: 1 sign, 5 exponent and 10 mantissa bits. All 65,536 values come from one table. */
export function widenF16(bits: Uint16Array, out: Float32Array): void {
  const table = f16Table();
  for (let i = 0; i < out.length; i++) out[i] = table[bits[i]!]!;
}

/** 256 kB, cheaper to make (a millisecond) than to keep. */
function f16Table(): Float32Array {
  const table = new Float32Array(0x10000);
  for (let bits = 0; bits < 0x8000; bits++) {
    const exponent = bits >>> 10, mantissa = bits & 0x3ff;
    const normal = (1 + mantissa / 1024) * 2 ** (exponent - 15), special = mantissa === 0 ? Infinity : NaN;
    const value = exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? special : normal;
    table[bits] = value;
    table[bits + 0x8000] = -value;
  }
  return table;
}
