import { describe, expect, it } from 'vitest';
import { absentPeer } from '../../bench/contender.ts';
import { meanDivergence } from '../../bench/divergence.ts';
import { readMatrices, SHAPES } from '../../bench/gguf-file.ts';
import { sizeOf } from '../../src/core/index.ts';
import { modelOfSection } from '../../src/models/index.ts';

describe('meanDivergence()', () => {
  it('is 0 between equal distributions, whatever is added to the logits', () => {
    expect(meanDivergence([[1, 2, 3]], [[11, 12, 13]])).toBeCloseTo(0, 12);
  });

  it('is Σ p·log(p/q), a mean over the tokens', () => {
    const half = [0, 0], skewed = [Math.log(3), 0]; // ½ ½ and ¾ ¼
    const one = 0.5 * Math.log(0.5 / 0.75) + 0.5 * Math.log(0.5 / 0.25);
    expect(meanDivergence([half], [skewed])).toBeCloseTo(one, 12);
    expect(meanDivergence([half, half], [skewed, half])).toBeCloseTo(one / 2, 12);
  });

  it('is not finite where a measured logit is not', () => {
    expect(meanDivergence([[0, 0]], [[0, NaN]])).toBeNaN();
  });
});

describe('SHAPES', () => {
  const parameters = (name: keyof typeof SHAPES): number => modelOfSection(SHAPES[name]).states.reduce((n, { meta }) => n + sizeOf(meta.shape), 0);

  it('have the parameters that they are named after', () => {
    expect(parameters('1.1b')).toBe(1_100_048_384); // TinyLlama
    expect(parameters('134m')).toBe(134_515_008); // SmolLM-135M
  });

  it('leave a table of embeddings out of what decoding reads, unless it is the output projection', () => {
    expect(readMatrices(modelOfSection(SHAPES['1.1b'])).some(({ id }) => id === 'embed.weight')).toBe(false);
    expect(readMatrices(modelOfSection(SHAPES['134m'])).some(({ id }) => id === 'embed.weight')).toBe(true);
  });
});

describe('absentPeer()', () => {
  it('refuses to start, with the reason', async () => {
    await expect(absentPeer('it', 'it is slow').start()).rejects.toThrow('Cannot measure the peer "it": it is slow.');
  });
});
