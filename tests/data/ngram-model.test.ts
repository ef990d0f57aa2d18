import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NgramModel } from '../../src/data/index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('NgramModel', () => {
  it('gives what the formula gives by hand', () => {
    const model = new NgramModel(2);
    model.add(bytes('aab'));
    // Single bytes: n(a) = 2, n(b) = 1, 2 kinds. After a: a once, b once, 2 kinds.
    const a = (2 + 2 / 256) / 5, b = (1 + 2 / 256) / 5, bAfterA = (1 + 2 * b) / 4;
    expect(model.bitsOf(bytes('ab'))).toBeCloseTo(-Math.log2(a) - Math.log2(bAfterA), 12);
  });

  it('knows nothing before it has learnt: eight bits a byte', () => {
    expect(new NgramModel().bitsOf(bytes('河 river'))).toBe(8 * bytes('河 river').length);
    expect(new NgramModel().bitsOf(new Uint8Array())).toBe(0);
  });

  it('is a distribution: the probabilities of all next bytes sum to one', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.uint8Array({ maxLength: 6 }), (train, prefix) => {
      const model = new NgramModel(5);
      model.add(train);
      const before = model.bitsOf(prefix);
      let sum = 0;
      for (let next = 0; next < 256; next++) sum += 2 ** (before - model.bitsOf(Uint8Array.of(...prefix, next)));
      expect(sum).toBeCloseTo(1, 9);
    }), { numRuns: 30 });
  });

  it('keeps the bytes 0 and 255 and its counts while its tables grow', () => {
    const text = Uint8Array.from({ length: 50_000 }, (_, i) => (i * i + (i >> 3)) & 0xff), model = new NgramModel(3);
    model.add(text);
    const grams = new Set<string>();
    for (let i = 0; i < text.length; i++) for (let n = 1; n <= 3 && n <= i + 1; n++) grams.add(text.subarray(i + 1 - n, i + 1).join());
    expect(model.grams).toBe(grams.size);
  });
});
