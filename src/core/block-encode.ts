// Values to the block formats. Layer: core. The bytes are those of ggml's quantize_row_*_ref (ggml/src/ggml-quants.c), bit
// for bit: its arithmetic is f32, so results are rounded (`fround`) where its are.

import { NumericsError, ShapeError } from '../base/errors.ts';
import { scaleAndMin } from './block-formats.ts';
import { GRID_Q4K, GRID_Q5K, isTiny, makeScratch, nearestInt, nearestWithin, searchScale, searchScaleAndMin, type Grid, type Scratch } from './block-search.ts';
import { BLOCKS, type BlockFormat } from './dtype.ts';
import { fromFloat16, toBfloat16, toFloat16 } from './half-floats.ts';

const { fround, abs, min } = Math;

/** Writes the block of the values from `x[from]` on to the bytes from `out[to]` on. */
type Encode = (x: Float32Array, from: number, out: Uint8Array, to: number, scratch: Scratch) => void;

function putHalf(out: Uint8Array, to: number, value: number): void {
  const bits = toFloat16(value);
  out[to] = bits & 255;
  out[to + 1] = bits >> 8;
}

const getHalf = (out: Uint8Array, at: number): number => fromFloat16(out[at]! | (out[at + 1]! << 8));

/** 1/d, and 0 for 0. */
const inverseOf = (d: number): number => (d === 0 ? 0 : fround(1 / d));

const encodeQ80: Encode = (x, from, out, to) => {
  let size = 0;
  for (let i = 0; i < 32; i++) {
    const a = abs(x[from + i]!);
    if (a > size) size = a;
  }
  const d = fround(size / 127), inverse = inverseOf(d);
  putHalf(out, to, d);
  for (let i = 0; i < 32; i++) {
    const q = fround(x[from + i]! * inverse);
    out[to + 2 + i] = q < 0 ? q - 0.5 : q + 0.5; // ties away from zero, as roundf; storing cuts the fraction off
  }
};

const encodeQ40: Encode = (x, from, out, to) => {
  let size = 0, largest = 0;
  for (let i = 0; i < 32; i++) {
    const v = x[from + i]!;
    if (size < abs(v)) {
      size = abs(v);
      largest = v;
    }
  }
  const d = fround(largest / -8), inverse = inverseOf(d);
  putHalf(out, to, d);
  for (let i = 0; i < 16; i++) {
    // −8 stands for the largest value, whatever its sign; the opposite one, 8, does not exist.
    const low = min(15, fround(fround(x[from + i]! * inverse) + 8.5) | 0), high = min(15, fround(fround(x[from + 16 + i]! * inverse) + 8.5) | 0);
    out[to + 2 + i] = low | (high << 4);
  }
};

/** Scales and minima of q4_k and q5_k, to 16 bytes; the levels stay in `scratch`. */
function encodeScaled(x: Float32Array, from: number, out: Uint8Array, to: number, grid: Grid, scratch: Scratch): void {
  const { levels, weights, scales, mins } = scratch;
  let maxScale = 0, maxMin = 0;
  for (let j = 0; j < 8; j++) {
    const at = from + 32 * j;
    let squares = 0;
    for (let i = 0; i < 32; i++) squares = fround(squares + fround(x[at + i]! * x[at + i]!));
    const mean = fround(Math.sqrt(fround(squares / 32)));
    for (let i = 0; i < 32; i++) weights[i] = mean + abs(x[at + i]!);
    const scale = searchScaleAndMin(x, at, j, grid, scratch);
    scales[j] = scale;
    if (scale > maxScale) maxScale = scale;
    if (mins[j]! > maxMin) maxMin = mins[j]!;
  }
  putHalf(out, to, fround(maxScale / 63));
  putHalf(out, to + 2, fround(maxMin / 63));
  putScales(out, to + 4, scratch, maxScale > 0 ? fround(63 / maxScale) : 0, maxMin > 0 ? fround(63 / maxMin) : 0);
  const d = getHalf(out, to), dMin = getHalf(out, to + 2);
  for (let j = 0; j < 8; j++) {
    const [scale, low] = scaleAndMin(j, (i) => out[to + 4 + i]!), step = fround(d * scale), offset = fround(dMin * low);
    if (step === 0) continue; // the search's levels stay
    for (let i = 32 * j; i < 32 * (j + 1); i++) levels[i] = nearestWithin(fround(x[from + i]! + offset) / step, 0, grid.levels);
  }
}

const encodeQ4K: Encode = (x, from, out, to, scratch) => {
  const { levels } = scratch;
  encodeScaled(x, from, out, to, GRID_Q4K, scratch);
  for (let j = 0; j < 4; j++) {
    for (let i = 0; i < 32; i++) out[to + 16 + 32 * j + i] = levels[64 * j + i]! | (levels[64 * j + 32 + i]! << 4);
  }
};

const encodeQ5K: Encode = (x, from, out, to, scratch) => {
  const { levels } = scratch;
  encodeScaled(x, from, out, to, GRID_Q5K, scratch);
  for (let i = 0; i < 32; i++) {
    let fifths = 0;
    for (let j = 0; j < 8; j++) fifths |= (levels[32 * j + i]! >> 4) << j;
    out[to + 16 + i] = fifths;
    for (let j = 0; j < 4; j++) out[to + 48 + 32 * j + i] = (levels[64 * j + i]! & 15) | ((levels[64 * j + 32 + i]! & 15) << 4);
  }
};

/** Eight scales and minima of 6 bits in 12 bytes: the reverse of `scaleAndMin`. */
function putScales(out: Uint8Array, to: number, { scales, mins }: Scratch, inverseScale: number, inverseMin: number): void {
  for (let j = 0; j < 8; j++) {
    const scale = min(63, nearestInt(fround(inverseScale * scales[j]!)) & 255), low = min(63, nearestInt(fround(inverseMin * mins[j]!)) & 255);
    if (j < 4) {
      out[to + j] = scale;
      out[to + j + 4] = low;
    } else {
      out[to + j + 4] = (scale & 15) | ((low & 15) << 4);
      out[to + j - 4]! |= (scale >> 4) << 6;
      out[to + j]! |= (low >> 4) << 6;
    }
  }
}

const encodeQ6K: Encode = (x, from, out, to, scratch) => {
  const { levels, scales } = scratch;
  let maxScale = 0, maxSize = 0;
  for (let j = 0; j < 16; j++) {
    const scale = searchScale(x, from + 16 * j, j, scratch);
    scales[j] = scale;
    if (abs(scale) > maxSize) {
      maxSize = abs(scale);
      maxScale = scale;
    }
  }
  if (isTiny(maxSize)) {
    out.fill(0, to, to + 210);
    return;
  }
  const inverse = fround(-128 / maxScale);
  putHalf(out, to + 208, fround(1 / inverse));
  const d = getHalf(out, to + 208);
  for (let j = 0; j < 16; j++) {
    const scale = (min(127, nearestInt(fround(inverse * scales[j]!))) << 24) >> 24, step = fround(d * scale);
    out[to + 192 + j] = scale;
    if (step === 0) continue; // the search's levels stay
    for (let i = 16 * j; i < 16 * (j + 1); i++) levels[i] = 32 + nearestWithin(x[from + i]! / step, -32, 31);
  }
  for (let part = 0; part < 2; part++) {
    const at = 128 * part, low = to + 64 * part, high = to + 128 + 32 * part;
    for (let i = 0; i < 32; i++) {
      const a = levels[at + i]!, b = levels[at + 32 + i]!, c = levels[at + 64 + i]!, e = levels[at + 96 + i]!;
      out[low + i] = (a & 15) | ((c & 15) << 4);
      out[low + 32 + i] = (b & 15) | ((e & 15) << 4);
      out[high + i] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((e >> 4) << 6);
    }
  }
};

const encodeBf16x2: Encode = (x, from, out, to) => {
  for (let i = 0; i < 2; i++) {
    const bits = toBfloat16(x[from + i]!);
    out[to + 2 * i] = bits & 255;
    out[to + 2 * i + 1] = bits >> 8;
  }
};

const ENCODERS: Readonly<Record<BlockFormat, Encode>> = { q8_0: encodeQ80, q4_0: encodeQ40, q4_k: encodeQ4K, q5_k: encodeQ5K, q6_k: encodeQ6K, bf16x2: encodeBf16x2 };

/** Where a block's f16 scales are. */
const SCALES_AT: Readonly<Record<BlockFormat, readonly number[]>> = { q8_0: [0], q4_0: [0], q4_k: [0, 2], q5_k: [0, 2], q6_k: [208], bf16x2: [] };

/** No format has room for larger values (q6_k: 65504·127·32); their cubes and sums are well within f32. */
const LARGEST = 2 ** 28;

/**
 * Whole blocks of the nearest values that the format has (ggml's reference quantisers; none uses importance weights).
 * Values so small that a block's scale is no f16 become zero, as ggml has it. A row of a matrix is whole blocks, so that a
 * matrix can be given as a whole.
 *
 * @param values a multiple of the block's 32 or 256
 * @param out where to put the bytes, a new array by default
 * @throws {ShapeError} if the values are not whole blocks, or `out` is too short
 * @throws {NumericsError} for NaN and infinity, and for values so large that a scale passes f16 (65504)
 */
export function encodeBlocks(format: BlockFormat, values: Float32Array, out?: Uint8Array): Uint8Array {
  const blocks = wholeBlocks(format, values);
  checkValues(format, values);
  return checkScales(format, encodeUnchecked(format, values, out), blocks);
}

/** The same without a look at what the format cannot hold, whose bytes mean nothing. */
export function encodeUnchecked(format: BlockFormat, values: Float32Array, out?: Uint8Array): Uint8Array {
  const block = BLOCKS[format], blocks = wholeBlocks(format, values), encode = ENCODERS[format];
  const bytes = out ?? new Uint8Array(blocks * block.bytes), scratch = makeScratch();
  if (bytes.length < blocks * block.bytes) throw new ShapeError(`Cannot encode ${blocks} blocks of ${format}: they take ${blocks * block.bytes} bytes, but there is room for ${bytes.length}.`, { op: 'encodeBlocks', shapes: [`[${values.length}]`, `[${bytes.length}]`] });
  for (let i = 0; i < blocks; i++) encode(values, i * block.values, bytes, i * block.bytes, scratch);
  return bytes;
}

/** How many blocks values are. @throws {ShapeError} if they are not whole ones */
export function wholeBlocks(format: BlockFormat, values: Float32Array): number {
  const block = BLOCKS[format], blocks = values.length / block.values;
  if (!Number.isInteger(blocks)) throw new ShapeError(`Cannot encode ${values.length} values as ${format}: a block has ${block.values}. Choose q8_0, whose blocks have 32, or leave this tensor as it is.`, { op: 'encodeBlocks', shapes: [`[${values.length}]`] });
  return blocks;
}

/** @throws {NumericsError} naming the first value that no block of the format can hold */
export function checkValues(format: BlockFormat, values: Float32Array): void {
  if (format === 'bf16x2') return; // bf16 holds whatever a float is
  for (let i = 0; i < values.length; i++) {
    if (!(abs(values[i]!) <= LARGEST)) throw unusable(format, Math.floor(i / BLOCKS[format].values), `value ${i} is ${values[i]}`);
  }
}

/**
 * @returns the bytes
 * @throws {NumericsError} naming the first of `blocks` blocks whose scale is no finite f16
 */
export function checkScales(format: BlockFormat, bytes: Uint8Array, blocks: number): Uint8Array {
  for (const at of SCALES_AT[format]) {
    for (let i = 0; i < blocks; i++) {
      if ((bytes[i * BLOCKS[format].bytes + at + 1]! & 0x7c) === 0x7c) throw unusable(format, i, 'its values are so large that the scale passes the largest f16, 65504');
    }
  }
  return bytes;
}

function unusable(format: BlockFormat, block: number, state: string): NumericsError {
  return new NumericsError(`Cannot encode block ${block} as ${format}: ${state}. Keep this tensor in f32 or bf16, or find out where that comes from.`, { step: 0, tensor: `block ${block}` });
}
