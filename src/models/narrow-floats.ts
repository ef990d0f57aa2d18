// Sixteen-bit floats of checkpoints to f32, exactly, and back, to the nearest. Layer: models.

import { fromFloat16, toFloat16 } from '../core/index.ts';

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
  return Float32Array.from({ length: 0x10000 }, (_, bits) => fromFloat16(bits));
}

/** The nearest bf16 of each value, ties to even. */
export function narrowBf16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    // A NaN whose payload is in the lower half must not become an infinity.
    out[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** The nearest f16 of each value, ties to even; infinity beyond 65504. */
export function narrowF16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const size = words[i]! & 0x7fffffff;
    // From 2⁻¹⁴ to what rounds to infinity the exponent only changes its bias, by 112.
    if (size >= 0x38800000 && size < 0x477ff000) out[i] = ((words[i]! >>> 16) & 0x8000) | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    else out[i] = toFloat16(values[i]!);
  }
}
