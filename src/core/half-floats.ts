// The two 16-bit floating types, as numbers and back. Layer: core.
// bf16 is the upper half of an f32 (round to nearest, ties to even); f16 is IEEE 754 binary16.

/** Scratch for looking at bits; nothing stays in it between calls. */
const WORD = new DataView(new ArrayBuffer(4));

/** Bits of the nearest bf16. */
export function toBfloat16(x: number): number {
  WORD.setFloat32(0, x); // a second rounding: 2⁻¹⁶ of a step away from a tie it could differ from a direct one
  const bits = WORD.getUint32(0);
  if (Number.isNaN(x)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBfloat16(bits: number): number {
  WORD.setUint32(0, bits << 16);
  return WORD.getFloat32(0);
}

/** Nearest integer, ties to even. */
function roundEven(x: number): number {
  const floor = Math.floor(x), rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** Bits of the nearest f16. */
export function toFloat16(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0, size = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00; // halfway from the largest number, 65504, to 2¹⁶
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24); // subnormal: steps of 2⁻²⁴
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--; // log2 may round up
  // A mantissa that rounds up to 2048 carries into the exponent, as it should.
  return sign | (((exponent + 14) << 10) + roundEven(size * 2 ** (10 - exponent)));
}

export function fromFloat16(bits: number): number {
  const exponent = (bits >>> 10) & 31, mantissa = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}
