import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberOf, numbersOf, store, storedOf } from '../../../src/backends/reference/storage.ts';

describe.each([['bf16', 2 ** -133, 2 ** -8, 8], ['f16', 2 ** -24, 2 ** -11, 5]] as const)('%s', (dtype, smallest, roundoff, exponentBits) => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const isNaNPattern = (bits: number): boolean => {
    const mantissaBits = 15 - exponentBits;
    return ((bits >> mantissaBits) & (2 ** exponentBits - 1)) === 2 ** exponentBits - 1 && (bits & (2 ** mantissaBits - 1)) !== 0;
  };

  it('every pattern that is a number survives numberOf() and storedOf()', () => {
    for (const bits of all) {
      const number = numberOf(dtype, bits);
      expect(Number.isNaN(number)).toBe(isNaNPattern(bits));
      if (!Number.isNaN(number) && storedOf(dtype, number) !== bits) expect.fail(`${bits} became ${storedOf(dtype, number)}`);
    }
    expect(numberOf(dtype, storedOf(dtype, Number.NaN))).toBeNaN();
  });

  it('storedOf() rounds to the nearest, and a tie to the even pattern', () => {
    for (let bits = 0; !isNaNPattern(bits + 1) && numberOf(dtype, bits + 1) < Infinity; bits += 7) {
      const low = numberOf(dtype, bits), high = numberOf(dtype, bits + 1), middle = (low + high) / 2;
      expect(storedOf(dtype, middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(storedOf(dtype, low + (high - low) * 0.499)).toBe(bits);
      expect(storedOf(dtype, -(low + (high - low) * 0.501))).toBe((bits + 1) | 0x8000);
    }
  });

  it('storedOf() is off by half a step at most, and overflows to infinity', () => {
    fc.assert(fc.property(fc.double({ min: -60000, max: 60000, noNaN: true }), (x) => {
      expect(Math.abs(numberOf(dtype, storedOf(dtype, x)) - x)).toBeLessThanOrEqual(Math.max(smallest / 2, roundoff * Math.abs(x)));
    }), { seed: 1 });
    expect(numberOf(dtype, storedOf(dtype, 1e39))).toBe(Infinity);
    expect(numberOf(dtype, storedOf(dtype, -1e39))).toBe(-Infinity);
    expect(Object.is(numberOf(dtype, storedOf(dtype, -0)), -0)).toBe(true);
  });
});

describe('store()', () => {
  it('is the reverse of numbersOf() for every dtype', () => {
    const arrays = { f32: Float32Array.of(1.5, -0, 3e38), i32: Int32Array.of(-7, 2 ** 31 - 1, -(2 ** 31)), u8: Uint8Array.of(0, 255, 7) };
    for (const [dtype, array] of Object.entries(arrays) as ['f32', Float32Array][]) {
      const copy = array.slice().fill(0);
      store(dtype, numbersOf(dtype, array), copy);
      expect(copy).toEqual(array);
    }
  });
});
