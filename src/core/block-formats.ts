// Block formats of weights: what their bytes mean. Layer: core.
// A row is cut into blocks of 32 or 256 values, each with scales of its own. The formats are ggml's of the same names;
// its `quantize_row_*_ref` and `dequantize_row_*` (ggml/src/ggml-quants.c) are their definition.

import { FormatError } from '../base/errors.ts';
import { BLOCKS, type BlockFormat } from './dtype.ts';
import { fromBfloat16, fromFloat16 } from './half-floats.ts';

/** Writes the values of the block that begins at `bytes[at]` to `out[to]` and on. */
type Decode = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const half = (bytes: Uint8Array, at: number): number => fromFloat16(bytes[at]! | (bytes[at + 1]! << 8));

const signed = (byte: number): number => (byte << 24) >> 24;

// f16 scale, 32 signed bytes: scale · q.
const decodeQ80: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * signed(bytes[at + 2 + i]!);
};

// f16 scale, 16 bytes of two nibbles, values i and i + 16: scale · (q − 8).
const decodeQ40: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i]!;
    out[to + i] = d * ((pair & 15) - 8);
    out[to + i + 16] = d * ((pair >> 4) - 8);
  }
};

/** Scale and minimum `j` of a q4_k or q5_k block: eight pairs of 6 bits in 12 bytes. */
export function scaleAndMin(j: number, byte: (i: number) => number): readonly [scale: number, min: number] {
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

// f16 scales of the scales and of the minima, eight of both, 128 bytes of two nibbles, 32 apart: d·scale·q − dmin·min.
const decodeQ4K: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at), dMin = half(bytes, at + 2);
  for (let j = 0; j < 8; j++) {
    const [scale, min] = scaleAndMin(j, (i) => bytes[at + 4 + i]!), from = at + 16 + 32 * (j >> 1), shift = 4 * (j & 1);
    const step = d * scale, offset = dMin * min;
    for (let i = 0; i < 32; i++) out[to + 32 * j + i] = step * ((bytes[from + i]! >> shift) & 15) - offset;
  }
};

// q4_k with 32 bytes of fifth bits before the nibbles, of which byte i has those of the values i, 32 + i…
const decodeQ5K: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at), dMin = half(bytes, at + 2);
  for (let j = 0; j < 8; j++) {
    const [scale, min] = scaleAndMin(j, (i) => bytes[at + 4 + i]!), from = at + 48 + 32 * (j >> 1), shift = 4 * (j & 1);
    const step = d * scale, offset = dMin * min;
    for (let i = 0; i < 32; i++) out[to + 32 * j + i] = step * (((bytes[from + i]! >> shift) & 15) | (((bytes[at + 16 + i]! >> j) & 1) << 4)) - offset;
  }
};

// 128 bytes of lower nibbles, 64 of upper pairs of bits, 16 signed scales of 16 values each, f16 scale: d·scale·(q − 32).
const decodeQ6K: Decode = (bytes, at, out, to) => {
  const d = half(bytes, at + 208);
  for (let group = 0; group < 16; group++) {
    const part = group >> 3, quarter = (group >> 1) & 3, within = 16 * (group & 1), step = d * signed(bytes[at + 192 + group]!);
    const low = at + 64 * part + 32 * (quarter & 1) + within, high = at + 128 + 32 * part + within, nibble = 4 * (quarter >> 1);
    for (let i = 0; i < 16; i++) {
      const q = ((bytes[low + i]! >> nibble) & 15) | (((bytes[high + i]! >> (2 * quarter)) & 3) << 4);
      out[to + 16 * group + i] = step * (q - 32);
    }
  }
};

const decodeBf16x2: Decode = (bytes, at, out, to) => {
  for (let i = 0; i < 2; i++) out[to + i] = fromBfloat16(bytes[at + 2 * i]! | (bytes[at + 2 * i + 1]! << 8));
};

const DECODERS: Readonly<Record<BlockFormat, Decode>> = { q8_0: decodeQ80, q4_0: decodeQ40, q4_k: decodeQ4K, q5_k: decodeQ5K, q6_k: decodeQ6K, bf16x2: decodeBf16x2 };

/**
 * Values of whole blocks.
 *
 * @param out where to put them, a new array by default
 * @throws {FormatError} if the bytes are not whole blocks
 */
export function decodeBlocks(format: BlockFormat, bytes: Uint8Array, out?: Float32Array): Float32Array {
  const { values, bytes: size } = BLOCKS[format], blocks = bytes.length / size, decode = DECODERS[format];
  if (!Number.isInteger(blocks)) throw new FormatError(`Cannot decode ${bytes.length} bytes of ${format}: a block has ${size} bytes.`, { path: '(memory)', offset: bytes.length });
  const decoded = out ?? new Float32Array(blocks * values);
  for (let i = 0; i < blocks; i++) decode(bytes, i * size, decoded, i * values);
  return decoded;
}
