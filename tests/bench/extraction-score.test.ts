import { describe, expect, it } from 'vitest';
import { compareShingles, countSegments, segmentF1, shingleF1 } from '../../bench/extraction-score.ts';

describe('compareShingles()', () => {
  it('counts shingles of four words, in shares of the page', () => {
    expect(compareShingles('a b c d e', 'a b c d e')).toEqual([1, 0, 0]);
    expect(compareShingles('a b c d e', 'a b c d')).toEqual([0.5, 0, 0.5]); // one of two found
    expect(compareShingles('a b', 'a b c')).toEqual([0, 0.5, 0.5]); // short texts are one shingle
    expect(compareShingles('', '')).toEqual([0, 0, 0]);
  });
});

describe('shingleF1()', () => {
  it('is of the mean precision and the mean recall', () => {
    expect(shingleF1([[1, 0, 0], [0.5, 0.5, 0]])).toBeCloseTo((2 * 0.75 * 1) / 1.75, 12);
  });
});

describe('segmentF1()', () => {
  it('takes white space as one, and counts over all pages', () => {
    expect(countSegments('one\n two three', ['one two', 'four'], ['three', 'five'])).toEqual([1, 1, 1]);
    expect(segmentF1([[1, 1, 1], [2, 0, 0]])).toBeCloseTo(6 / 8, 12);
  });
});
