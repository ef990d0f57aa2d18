// Types of tensors that GGUF files have and nothing here computes with: what their bytes mean, and what they become.
// Layer: models. The definition is ggml's `dequantize_row_*` (ggml/src/ggml-quants.c). Scales have 11 bits, their factors and
// the quants so few that all products are exact.

import { fromFloat16, toFloat16 } from '../core/index.ts';
import type { WeightType } from './weight-types.ts';

/** Reads the block that begins at `bytes[at]`, writes to `out[to]` and on. */
type Decode = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/** The same in another block format; false if that cannot hold it. */
type Recode = (bytes: Uint8Array, at: number, out: Uint8Array, to: number) => boolean;

interface ForeignType {
  /** ggml_type. */
  readonly code: number;
  /** Values and bytes of a block. */
  readonly values: number;
  readonly bytes: number;
  readonly decode: Decode;
  /** The type with kernels that loses least. */
  readonly computed: WeightType;
  /** Writes as many values as blocks of `computed`, where their grid is the same: nothing is quantised twice. */
  readonly recode?: Recode;
}

const half = (bytes: Uint8Array, at: number): number => fromFloat16(bytes[at]! | (bytes[at + 1]! << 8));

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Nibble `i` of 32: the lower ones of 16 bytes, then the upper. */
const nibble = (bytes: Uint8Array, at: number, i: number): number => (bytes[at + (i & 15)]! >> (i & 16 ? 4 : 0)) & 15;

/** Five bits: the fifth from a word of 32. */
const fiveBits = (bytes: Uint8Array, high: number, low: number, i: number): number => nibble(bytes, low, i) | (((bytes[high + (i >> 3)]! >> (i & 7)) & 1) << 4);

// f16 scale and minimum, nibbles: scale · q + min.
const decodeQ41: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at), min = half(bytes, at + 2);
  for (let i = 0; i < 32; i++) out[to + i] = d * nibble(bytes, at + 4, i) + min;
};

// f16 scale and minimum, fifth bits, nibbles.
const decodeQ51: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at), min = half(bytes, at + 2);
  for (let i = 0; i < 32; i++) out[to + i] = d * fiveBits(bytes, at + 4, at + 8, i) + min;
};

/** Levels of iq4_nl and iq4_xs. */
const LEVELS = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** A block of 32 with one f16 scale: as values, and as q8_0, which holds the same numbers. */
function scaled(quant: (bytes: Uint8Array, at: number, i: number) => number): { decode: Decode; recode: Recode } {
  return {
    decode(bytes, at, out, to) {
      const d = half(bytes, at);
      for (let i = 0; i < 32; i++) out[to + i] = d * quant(bytes, at, i);
    },
    recode(bytes, at, out, to) {
      out[to] = bytes[at]!;
      out[to + 1] = bytes[at + 1]!;
      for (let i = 0; i < 32; i++) out[to + 2 + i] = quant(bytes, at, i);
      return true;
    },
  };
}

// f16 scale, fifth bits, nibbles: scale · (q − 16).
const q50 = scaled((bytes, at, i) => fiveBits(bytes, at + 2, at + 6, i) - 16);

// f16 scale, nibbles that number a level.
const iq4nl = scaled((bytes, at, i) => LEVELS[nibble(bytes, at + 2, i)]!);

/** Where the pairs of bits of 16 values stand: two halves of four quarters of 32. */
const pairsOf = (group: number): readonly [from: number, shift: number] => [32 * (group >> 3) + 16 * (group & 1), 2 * ((group >> 1) & 3)];

// 16 nibbles of scale and of minimum, 64 bytes of pairs of bits, f16 scales of both: d·scale·q − dmin·min.
const decodeQ2K: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at + 80), dMin = half(bytes, at + 82);
  for (let group = 0; group < 16; group++) {
    const [from, shift] = pairsOf(group), step = d * (bytes[at + group]! & 15), offset = dMin * (bytes[at + group]! >> 4);
    for (let i = 0; i < 16; i++) out[to + 16 * group + i] = step * ((bytes[at + 16 + from + i]! >> shift) & 3) - offset;
  }
};

// 32 bytes of third bits (set where nothing is taken off), 64 of pairs, 16 scales of 6 bits in 12 bytes, f16 scale.
const q3kScale = (bytes: Uint8Array, at: number, group: number): number => {
  const low = (bytes[at + 96 + (group & 7)]! >> (group & 8 ? 4 : 0)) & 15, high = (bytes[at + 104 + (group & 3)]! >> (2 * (group >> 2))) & 3;
  return (low | (high << 4)) - 32;
};
const q3kQuant = (bytes: Uint8Array, at: number, group: number, i: number): number => {
  const [from, shift] = pairsOf(group), third = (bytes[at + 16 * (group & 1) + i]! >> (group >> 1)) & 1;
  return ((bytes[at + 32 + from + i]! >> shift) & 3) - (third ? 0 : 4);
};

const decodeQ3K: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at + 108);
  for (let group = 0; group < 16; group++) {
    const step = d * q3kScale(bytes, at, group);
    for (let i = 0; i < 16; i++) out[to + 16 * group + i] = step * q3kQuant(bytes, at, group, i);
  }
};

/** q6_k has the same groups, and room for the same scales and quants. */
const recodeQ3K: Recode = (bytes, at, out, to) => {
  out.fill(0, to, to + 192);
  for (let group = 0; group < 16; group++) {
    out[to + 192 + group] = q3kScale(bytes, at, group);
    const part = group >> 3, quarter = (group >> 1) & 3, within = 16 * (group & 1);
    const low = to + 64 * part + 32 * (quarter & 1) + within, high = to + 128 + 32 * part + within;
    for (let i = 0; i < 16; i++) {
      const q = q3kQuant(bytes, at, group, i) + 32;
      out[low + i]! |= (q & 15) << (4 * (quarter >> 1));
      out[high + i]! |= (q >> 4) << (2 * quarter);
    }
  }
  out[to + 208] = bytes[at + 108]!;
  out[to + 209] = bytes[at + 109]!;
  return true;
};

// f16 scale, 8 scales of 6 bits (upper two in 2 bytes, lower four in 4), eight times nibbles that number a level.
const iq4xsStep = (bytes: Uint8Array, at: number, j: number): number => {
  const high = ((bytes[at + 2]! | (bytes[at + 3]! << 8)) >> (2 * j)) & 3, low = (bytes[at + 4 + (j >> 1)]! >> (4 * (j & 1))) & 15;
  return half(bytes, at) * ((low | (high << 4)) - 32);
};

const decodeIq4Xs: Decode = (bytes, at, out, to) => {
  for (let j = 0; j < 8; j++) {
    const step = iq4xsStep(bytes, at, j);
    for (let i = 0; i < 32; i++) out[to + 32 * j + i] = step * LEVELS[nibble(bytes, at + 8 + 16 * j, i)]!;
  }
};

/** Steps are rounded to f16, by at most 2⁻¹² of them: subnormal ones are exact, being multiples of a subnormal scale. */
const recodeIq4Xs: Recode = (bytes, at, out, to) => {
  for (let j = 0; j < 8; j++, to += 34) {
    const step = iq4xsStep(bytes, at, j), bits = toFloat16(step);
    if ((bits & 0x7fff) === 0x7c00) return false;
    out[to] = bits & 255;
    out[to + 1] = bits >> 8;
    for (let i = 0; i < 32; i++) out[to + 2 + i] = LEVELS[nibble(bytes, at + 8 + 16 * j, i)]!;
  }
  return true;
};

type Read = (view: DataView, at: number) => number;
const single = (code: number, bytes: number, read: Read): ForeignType => ({ code, values: 1, bytes, computed: 'f32', decode: (source, at, out, to) => void (out[to] = read(viewOf(source), at)) });

/**
 * All of them. Where scale and minimum stand beside each other there is no such grid here: bf16, whose error (2⁻⁹ of a
 * value) is less than that of quantising to q8_0 (2⁻⁸ of a block's largest).
 */
export const FOREIGN = {
  q4_1: { code: 3, values: 32, bytes: 20, decode: decodeQ41, computed: 'bf16' },
  q5_0: { code: 6, values: 32, bytes: 22, ...q50, computed: 'q8_0' },
  q5_1: { code: 7, values: 32, bytes: 24, decode: decodeQ51, computed: 'bf16' },
  q2_k: { code: 10, values: 256, bytes: 84, decode: decodeQ2K, computed: 'bf16' },
  q3_k: { code: 11, values: 256, bytes: 110, decode: decodeQ3K, computed: 'q6_k', recode: recodeQ3K },
  iq4_nl: { code: 20, values: 32, bytes: 18, ...iq4nl, computed: 'q8_0' },
  iq4_xs: { code: 23, values: 256, bytes: 136, decode: decodeIq4Xs, computed: 'q8_0', recode: recodeIq4Xs },
  i8: single(24, 1, (view, at) => view.getInt8(at)),
  i16: single(25, 2, (view, at) => view.getInt16(at, true)),
  i32: single(26, 4, (view, at) => view.getInt32(at, true)),
  i64: single(27, 8, (view, at) => Number(view.getBigInt64(at, true))),
  f64: single(28, 8, (view, at) => view.getFloat64(at, true)),
} as const satisfies Readonly<Record<string, ForeignType>>;

/** Types that are read only. */
export type ForeignName = keyof typeof FOREIGN;

/** Types of tensors in GGUF files. */
export type TensorType = WeightType | ForeignName;

export function isForeign(type: TensorType): type is ForeignName {
  return Object.hasOwn(FOREIGN, type);
}

/** Values of whole blocks, into `out`. */
export function decodeForeign(type: ForeignName, bytes: Uint8Array, out: Float32Array): Float32Array {
  const { values, bytes: size, decode } = FOREIGN[type];
  for (let i = 0; i < bytes.length / size; i++) decode(bytes, i * size, out, i * values);
  return out;
}

/** The same blocks in their type of computation, or undefined if that cannot hold them. */
export function recodeForeign(type: ForeignName, bytes: Uint8Array, outBytes: number): Uint8Array | undefined {
  const { bytes: size, recode }: ForeignType = FOREIGN[type], blocks = bytes.length / size;
  if (recode === undefined) return undefined;
  const out = new Uint8Array(outBytes);
  for (let i = 0; i < blocks; i++) {
    if (!recode(bytes, i * size, out, i * (outBytes / blocks))) return undefined;
  }
  return out;
}
