import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCKS, decodeBlocks, encodeBlocks, fromBfloat16, toBfloat16, type BlockFormat } from '../../src/core/index.ts';
import { NumericsError, ShapeError } from '../../src/base/errors.ts';

/** ggml's; bf16x2 is bf16 by another name. */
const FORMATS = (Object.keys(BLOCKS) as BlockFormat[]).filter((format) => format !== 'bf16x2'), GOLDEN = join(import.meta.dirname, '../golden/block-formats');
const golden = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(join(GOLDEN, name)));

/** Sums of uniform numbers from a small generator, near enough to normal. */
function noise(n: number, seed: number): Float32Array {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return Float32Array.from({ length: n }, () => next() + next() + next() + next() - 2);
}

describe.each(FORMATS)('%s', (format) => {
  const { values: size, bytes: width } = BLOCKS[format];

  it("encodeBlocks() gives the bytes of ggml's reference quantiser", () => {
    const values = new Float32Array(golden('values.f32').buffer), blocks = encodeBlocks(format, values), expected = golden(`${format}.bin`);
    const differing = Array.from({ length: expected.length / width }, (_, i) => i).filter((i) => Buffer.compare(blocks.subarray(i * width, (i + 1) * width), expected.subarray(i * width, (i + 1) * width)) !== 0);
    expect(differing).toEqual([]);
    expect(blocks.length).toBe(expected.length);
  });

  it("decodeBlocks() gives the bits of ggml's", () => {
    const values = decodeBlocks(format, golden(`${format}.bin`)), hashes = JSON.parse(readFileSync(join(GOLDEN, 'decoded.json'), 'utf8')) as Record<string, string>;
    expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(hashes[format]);
  });

  it('loses as much as its bits must lose', () => {
    const values = noise(8192, 7), back = decodeBlocks(format, encodeBlocks(format, values));
    const power = values.reduce((sum, v) => sum + v * v, 0), loss = values.reduce((sum, v, i) => sum + (v - back[i]!) ** 2, 0);
    // A step of range/levels has an error of step²/12; a block's range is about 4.2 (32 values) standard deviations.
    // Root mean squares that were measured: 0.0047, 0.092, 0.07, 0.02.
    const bounds: Record<BlockFormat, number> = { q8_0: 0.006, q4_0: 0.1, q4_k: 0.08, q5_k: 0.04, q6_k: 0.022 };
    expect(Math.sqrt(loss / power)).toBeLessThan(bounds[format]);
    expect(Math.sqrt(loss / power)).toBeGreaterThan(bounds[format] / 2);
  });

  it('keeps zeros, whole and beside other values', () => {
    expect(decodeBlocks(format, encodeBlocks(format, new Float32Array(size))).every((v) => v === 0)).toBe(true);
    const values = noise(2 * size, 3).fill(0, size), back = decodeBlocks(format, encodeBlocks(format, values));
    expect(back.subarray(size).every((v) => v === 0)).toBe(true);
  });

  it('turns denormals to zero', () => {
    const values = noise(size, 5).map((v) => v * 1e-41);
    expect(values.some((v) => v !== 0)).toBe(true);
    expect(decodeBlocks(format, encodeBlocks(format, values)).every((v) => v === 0)).toBe(true);
  });

  it('refuses NaN, infinity, and values whose scale is no f16', () => {
    for (const [wrong, message] of [[NaN, 'value 3 is NaN'], [Infinity, 'value 3 is Infinity'], [-Infinity, '-Infinity'], [1e30, 'value 3 is 1'], [({ q6_k: 2.7e8, q5_k: 1.5e8 } as Partial<Record<BlockFormat, number>>)[format] ?? 7e7, 'block 0']] as const) {
      const values = noise(size, 1);
      values[3] = wrong;
      expect(() => encodeBlocks(format, values)).toThrow(NumericsError);
      expect(() => encodeBlocks(format, values)).toThrow(message);
    }
  });

  it('refuses what is no whole block, or does not fit', () => {
    expect(() => encodeBlocks(format, new Float32Array(size + 1))).toThrow(ShapeError);
    expect(() => encodeBlocks(format, new Float32Array(size), new Uint8Array(width - 1))).toThrow(ShapeError);
    expect(() => decodeBlocks(format, new Uint8Array(width + 1))).toThrow('a block has');
    expect(encodeBlocks(format, new Float32Array(0)).length).toBe(0);
  });

  it('works in place and anywhere in memory', () => {
    const values = noise(3 * size, 9), room = new Uint8Array(3 * width + 5), out = room.subarray(3, 3 + 3 * width);
    expect(encodeBlocks(format, values, out)).toBe(out);
    expect(out).toEqual(encodeBlocks(format, values));
    expect([...room.subarray(0, 3), ...room.subarray(3 + 3 * width)]).toEqual([0, 0, 0, 0, 0]);
    expect(decodeBlocks(format, out)).toEqual(decodeBlocks(format, Uint8Array.from(out)));
  });
});

describe('bf16x2', () => {
  it('is bf16: the nearest, ties to even, NaN and infinity kept', () => {
    const values = Float32Array.of(1, -2.5, 1.00390625, 1.01171875, 3.4e38, NaN, -Infinity, 1e-40);
    const blocks = encodeBlocks('bf16x2', values);
    expect([...new Uint16Array(blocks.buffer)]).toEqual([...values].map(toBfloat16));
    expect([...decodeBlocks('bf16x2', blocks)]).toEqual([...values].map((value) => fromBfloat16(toBfloat16(value))));
  });
});
