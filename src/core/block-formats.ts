// Block formats of weights: what their bytes mean. Layer: core.
// A row is cut into blocks of 32 or 256 values, each with scales of its own. The formats are ggml's of the same names;
// its `quantize_row_*_ref` and `dequantize_row_*` (ggml/src/ggml-quants.c) are their definition.

import { FormatError } from '../base/errors.ts';
import { BLOCKS, type BlockFormat } from './dtype.ts';
import { fromFloat16 } from './half-floats.ts';

/** Writes the values of one block at `out[at]`. */
type Decode = (block: DataView, out: Float32Array, at: number) => void;

const half = (block: DataView, at: number): number => fromFloat16(block.getUint16(at, true));

// f16 scale, 32 signed bytes: scale · q.
const decodeQ80: Decode = (block, out, at) => {
  const d = half(block, 0);
  for (let i = 0; i < 32; i++) out[at + i] = d * block.getInt8(2 + i);
};

// f16 scale, 16 bytes of two nibbles, values i and i + 16: scale · (q − 8).
const decodeQ40: Decode = (block, out, at) => {
  const d = half(block, 0);
  for (let i = 0; i < 16; i++) {
    const pair = block.getUint8(2 + i);
    out[at + i] = d * ((pair & 15) - 8);
    out[at + i + 16] = d * ((pair >> 4) - 8);
  }
};

/** Scale and minimum `j` of a q4_k block: eight pairs of 6 bits in 12 bytes. */
export function scaleAndMin(j: number, byte: (i: number) => number): readonly [scale: number, min: number] {
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

// f16 scales of the scales and of the minima, eight of both, 128 bytes of two nibbles, 32 apart: d·scale·q − dmin·min.
const decodeQ4K: Decode = (block, out, at) => {
  const d = half(block, 0), dMin = half(block, 2);
  for (let j = 0; j < 8; j++) {
    const [scale, min] = scaleAndMin(j, (i) => block.getUint8(4 + i)), from = 16 + 32 * (j >> 1), shift = 4 * (j & 1);
    for (let i = 0; i < 32; i++) out[at + 32 * j + i] = d * scale * ((block.getUint8(from + i) >> shift) & 15) - dMin * min;
  }
};

// 128 bytes of lower nibbles, 64 of upper pairs of bits, 16 signed scales of 16 values each, f16 scale: d·scale·(q − 32).
const decodeQ6K: Decode = (block, out, at) => {
  const d = half(block, 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7, quarter = (i >> 5) & 3, l = i & 31;
    const low = (block.getUint8(64 * part + 32 * (quarter & 1) + l) >> (4 * (quarter >> 1))) & 15;
    const high = (block.getUint8(128 + 32 * part + l) >> (2 * quarter)) & 3;
    out[at + i] = d * block.getInt8(192 + (i >> 4)) * ((low | (high << 4)) - 32);
  }
};

const DECODERS: Readonly<Record<BlockFormat, Decode>> = { q8_0: decodeQ80, q4_0: decodeQ40, q4_k: decodeQ4K, q6_k: decodeQ6K };

/**
 * Values of whole blocks.
 *
 * @param out where to put them, a new array by default
 * @throws {FormatError} if the bytes are not whole blocks
 */
export function decodeBlocks(format: BlockFormat, bytes: Uint8Array, out?: Float32Array): Float32Array {
  const { values, bytes: size } = BLOCKS[format], blocks = bytes.length / size;
  if (!Number.isInteger(blocks)) throw new FormatError(`Cannot decode ${bytes.length} bytes of ${format}: a block has ${size} bytes.`, { path: '(memory)', offset: bytes.length });
  const decoded = out ?? new Float32Array(blocks * values);
  for (let i = 0; i < blocks; i++) DECODERS[format](new DataView(bytes.buffer, bytes.byteOffset + i * size, size), decoded, i * values);
  return decoded;
}
