import { describe, expect, it } from 'vitest';
import { corpusOptions, dataSchema } from '../../src/data/config.ts';

describe('dataSchema and corpusOptions()', () => {
  it('fill in defaults and translate caps and paths', () => {
    const config = dataSchema.parse({ path: 'books', maxGroupBytes: 5, include: ['*.md'] });
    expect(config).toMatchObject({ raw: false, nearCopies: 0.8, validationFraction: 0.05, split: 'auto', sampling: 'windows' });
    const options = corpusOptions(config);
    expect(options).toMatchObject({ sources: ['books'], include: ['*.md'], caps: { groupBytes: 5 }, gitignore: true });
    expect('exclude' in options).toBe(false);
    expect(corpusOptions(dataSchema.parse({ path: ['a', 'b'] })).sources).toEqual(['a', 'b']);
  });

  it('refuse unknown keys and values out of range', () => {
    for (const wrong of [{ pth: 'x' }, { validationFraction: 1.5 }, { maxBytes: 0 }, { split: 'half' }, { nearCopies: true }, { path: [] }]) {
      expect(dataSchema.safeParse(wrong).success).toBe(false);
    }
  });

  it('describe every key for the help', () => {
    for (const field of Object.values(dataSchema.shape)) expect(field.description).toMatch(/.{10}/);
  });
});
