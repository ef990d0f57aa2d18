// Types of values in safetensors files, and how each becomes f32. Layer: models (pure).
// See https://github.com/huggingface/safetensors, `Dtype`. Floats of eight bits: Micikevicius et al. 2022, arXiv
// 2209.05433, table 1 (E4M3 has no infinities, and NaN only where all other bits are ones), and OCP's Microscaling
// Formats v1.0, section 5.4.1 (E8M0: a power of two).

import { fromFloat16 } from '../core/index.ts';
import { widenBf16, widenF16 } from './narrow-floats.ts';

interface StoredType {
  readonly bytes: number;
  /** Values of bytes, of which there are `bytes` for each place of `out`, aligned to 8. */
  widen(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void;
}

/** Values that convert to f32 one by one, to the nearest. */
function numbers(bytes: number, View: new(buffer: ArrayBuffer, offset: number, length: number) => ArrayLike<number | bigint>): StoredType {
  return {
    bytes,
    widen(from, out): void {
      const values = new View(from.buffer, from.byteOffset, out.length);
      for (let i = 0; i < out.length; i++) out[i] = Number(values[i]);
    },
  };
}

/** Values of eight bits, out of a table of 256. */
function eightBits(valueOf: (bits: number) => number): StoredType {
  return {
    bytes: 1,
    widen(from, out): void {
      const table = Float32Array.from({ length: 256 }, (_, bits) => valueOf(bits));
      for (let i = 0; i < out.length; i++) out[i] = table[from[i]!]!;
    },
  };
}

const sixteenBits = (widen: (bits: Uint16Array, out: Float32Array) => void): StoredType => ({
  bytes: 2,
  widen: (from, out) => widen(new Uint16Array(from.buffer, from.byteOffset, out.length), out),
});

/** Sign, four bits of exponent with bias 7, three of mantissa. */
function fromE4M3(bits: number): number {
  const exponent = (bits >> 3) & 15, mantissa = bits & 7, sign = bits < 128 ? 1 : -1;
  if (exponent === 15 && mantissa === 7) return Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10));
}

/** By the format's names. */
const STORED_TYPES: Readonly<Record<string, StoredType>> = {
  BOOL: numbers(1, Uint8Array),
  U8: numbers(1, Uint8Array),
  I8: numbers(1, Int8Array),
  F8_E5M2: eightBits((bits) => fromFloat16(bits << 8)), // the upper half of an f16
  F8_E4M3: eightBits(fromE4M3),
  F8_E8M0: eightBits((bits) => (bits === 255 ? Number.NaN : 2 ** (bits - 127))),
  I16: numbers(2, Int16Array),
  U16: numbers(2, Uint16Array),
  F16: sixteenBits(widenF16),
  BF16: sixteenBits(widenBf16),
  I32: numbers(4, Int32Array),
  U32: numbers(4, Uint32Array),
  F32: numbers(4, Float32Array),
  F64: numbers(8, Float64Array),
  I64: numbers(8, BigInt64Array),
  U64: numbers(8, BigUint64Array),
};

/** A type of a safetensors file by its name; undefined if there is no such. */
export function storedType(dtype: string): StoredType | undefined {
  return Object.hasOwn(STORED_TYPES, dtype) ? STORED_TYPES[dtype] : undefined;
}
