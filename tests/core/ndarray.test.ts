import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { broadcastStrides, forEachElement, ndarray, stridesOf } from '../../src/core/index.ts';

const shapes = fc.array(fc.nat(4), { maxLength: 4 });

/** All index tuples of a shape in row-major order. */
function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>((all, dim) => all.flatMap((index) => Array.from({ length: dim }, (_, i) => [...index, i])), [[]]);
}

describe('ndarray()', () => {
  it('makes zeros of the shape, one element for a scalar, none for an empty axis', () => {
    expect(ndarray([2, 3]).data).toEqual(new Float64Array(6));
    expect(ndarray([]).data.length).toBe(1);
    expect(ndarray([3, 0]).data.length).toBe(0);
    expect(ndarray([2], [1, 2]).data).toEqual(Float64Array.of(1, 2));
  });
});

describe('stridesOf()', () => {
  it('is the distance between neighbours, row-major', () => {
    expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
    expect(stridesOf([])).toEqual([]);
  });
});

describe('forEachElement()', () => {
  it('visits every element in row-major order with the position in each operand, for any strides', () => {
    fc.assert(fc.property(shapes, fc.array(fc.integer({ min: -5, max: 9 }), { minLength: 8, maxLength: 8 }), (shape, numbers) => {
      const strides = [shape.map((_, i) => numbers[i]!), shape.map((_, i) => numbers[4 + i]!)];
      const seen: number[][] = [];
      forEachElement(shape, strides, (flat, at) => seen.push([flat, ...at]));
      const exact = indices(shape).map((index, flat) => [flat, ...strides.map((own) => index.reduce((sum, i, axis) => sum + i * own[axis]!, 0))]);
      expect(seen).toEqual(exact);
    }), { numRuns: 300, seed: 1 });
  });

  it('visits a scalar once', () => {
    let visits = 0;
    forEachElement([], [[]], () => {
      visits++;
    });
    expect(visits).toBe(1);
  });
});

describe('broadcastStrides()', () => {
  it('repeats axes of 1 and new leading axes', () => {
    expect(broadcastStrides([3, 1, 4], [2, 3, 5, 4])).toEqual([0, 4, 0, 1]);
    expect(broadcastStrides([], [2, 3])).toEqual([0, 0]);
    expect(broadcastStrides([1], [6])).toEqual([0]);
  });

  it('is the contiguous strides where nothing is repeated', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 2, max: 5 }), { maxLength: 4 }), (shape) => {
      expect(broadcastStrides(shape, shape)).toEqual(stridesOf(shape));
    }), { seed: 2 });
  });
});
