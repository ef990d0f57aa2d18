import { describe, expect, test } from 'vitest';
import { extractPage } from '../../../src/data/extract/index.ts';

const PROSE = `<p>${'A sentence that is long enough to be prose, and then some more of it. '.repeat(4).trim()}</p>`;
/** Small enough for every run; the same shapes hold at a million (the bounds are in page-tree.ts). */
const N = 20_000;
const SHAPES: Readonly<Record<string, string>> = {
  'elements nested deeper than any limit': '<div>'.repeat(10 * N) + PROSE + '</div>'.repeat(10 * N),
  'formatting that is never closed': '<b><i>'.repeat(N) + PROSE,
  'blocks, lists and tables that are never closed': PROSE + '<p><div><li><b><table><tr>'.repeat(N),
  'closing tags of nothing': '</div></p></i>'.repeat(N) + PROSE,
  'an element with very many attributes': `<div ${'a=b '.repeat(N)}>${PROSE}`,
  'an attribute of a megabyte': `<div title="${'x y'.repeat(N)}">${PROSE}</div>`,
  'NUL characters': '\0'.repeat(N) + PROSE,
  'a comment without an end behind it': `${PROSE}<!-- ${'-'.repeat(N)}`,
  'JSON-LD that nests without end': `<script type="application/ld+json">${'['.repeat(N)}</script>${PROSE}`,
  'an object that is never closed': `<div><object><p>no</p></div>${PROSE}`,
  'a table of very many rows': `${PROSE}<table>${'<tr><td>c'.repeat(7 * N)}`,
};

describe('extractPage() on bad pages', () => {
  test.each(Object.entries(SHAPES))('extractPage() finds the prose beside %s, in bounded time', (_, html) => {
    const begin = performance.now(), { text } = extractPage(html);
    expect(text).toContain('A sentence that is long enough');
    expect(performance.now() - begin).toBeLessThan(20_000); // a hundred times what it takes: only a square would reach it
  });

  test('extractPage() takes time in proportion to the page', () => {
    const seconds = (n: number): number => {
      const html = '<h2>a</h2><ul><li>some text here<p><b>x</b></i>'.repeat(n), begin = performance.now();
      extractPage(html);
      return performance.now() - begin;
    };
    seconds(2000);
    const small = Math.min(seconds(2000), seconds(2000), seconds(2000)), large = Math.min(seconds(16_000), seconds(16_000));
    expect(large / small).toBeLessThan(40); // 8 by size; 64 if it went by the square
  });

  test('extractPage() says that a limit cut a page, and reads its beginning', () => {
    expect(extractPage(PROSE.repeat(3), { limits: { maxChars: 400 } })).toMatchObject({ truncated: true });
    const { text, truncated } = extractPage(PROSE + '<p>x</p>'.repeat(100), { limits: { maxNodes: 20 } });
    expect(truncated).toBe(true);
    expect(text).toContain('A sentence');
  });

  test.each(['', ' ', '<', '<!', '<!doctype html>', '&', '</p>', '<p', '<a href=', '\ud800'])('extractPage() answers %j with no text and no exception', (html) => {
    expect(extractPage(html).text.length).toBeLessThan(5);
  });
});
