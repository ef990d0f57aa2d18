import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { ContentKey } from '../../src/data/exact-copies.ts';
import { NearCopyIndex } from '../../src/data/near-copies.ts';
import { jaccard, Shingler, SIGNATURE_LENGTH } from '../../src/data/shingles.ts';

/** Random text: English words of random letters, or Chinese characters without spaces. */
function units(random: Random, length: number, isChinese: boolean): string[] {
  return Array.from({ length }, () => (isChinese
    ? String.fromCharCode(0x4e00 + random.int(3000))
    : Array.from({ length: 2 + random.int(8) }, () => String.fromCharCode(97 + random.int(26))).join('')));
}

/** Replaces a stretch of units, so that about `share` of the shingles of both stay common. */
function vary(random: Random, original: string[], similarity: number, isChinese: boolean): string[] {
  const copy = [...original], replaced = Math.round((original.length * (1 - similarity)) / (1 + similarity));
  const at = random.int(original.length - replaced);
  copy.splice(at, replaced, ...units(random, replaced, isChinese));
  return copy;
}

function indexOf(texts: string[]): { index: NearCopyIndex; sets: Uint32Array[] } {
  const shingler = new Shingler(), signatures = new Uint32Array(texts.length * SIGNATURE_LENGTH);
  const has = texts.map((text, i) => shingler.signature(text, signatures.subarray(i * SIGNATURE_LENGTH, (i + 1) * SIGNATURE_LENGTH)));
  const sets = texts.map((text) => shingler.shingleSet(text));
  return { index: new NearCopyIndex({ size: texts.length, signatures, has: (i) => has[i]!, shingleSet: (i) => sets[i]! }), sets };
}

describe('NearCopyIndex', () => {
  for (const isChinese of [false, true]) {
    it(`find() recalls 98% of planted copies at Jaccard 0.8 and above, and no pair below: ${isChinese ? 'Chinese' : 'English'}`, () => {
      const random = new Random(11, isChinese ? 'zh' : 'en'), join = (words: string[]): string => words.join(isChinese ? '' : ' ');
      const texts: string[] = [], pairs: [number, number][] = [];
      for (let i = 0; i < 600; i++) {
        // Short documents are the hard ones: few shingles fill few bins.
        const original = units(random, 30 + random.int(600), isChinese), similarity = i % 2 === 0 ? 0.82 + 0.18 * random.uniform() : 0.5 + 0.25 * random.uniform();
        pairs.push([texts.length, texts.length + 1]);
        texts.push(join(original), join(vary(random, original, similarity, isChinese)));
      }
      const { index, sets } = indexOf(texts);
      let planted = 0, recalled = 0, negatives = 0, wrong = 0;
      for (const [a, b] of pairs) {
        index.add(a);
        const similarity = jaccard(sets[a]!, sets[b]!), found = index.find(b, 0.8);
        if (similarity >= 0.8) {
          planted++;
          if (found?.index === a) recalled++;
        } else {
          negatives++;
          if (found !== undefined) wrong++;
        }
      }
      expect(planted).toBeGreaterThan(200);
      expect(negatives).toBeGreaterThan(200);
      expect(recalled / planted).toBeGreaterThanOrEqual(0.98);
      expect(wrong).toBe(0);
    });
  }

  it('find() gives the first of several, whatever the order of questions, and not the document itself', () => {
    const words = Array.from({ length: 60 }, (_, i) => `word${i}`).join(' ');
    const { index } = indexOf([words, `${words} more`, `${words} other`, '']);
    index.add(1);
    index.add(0);
    expect(index.find(2, 0.8)?.index).toBe(0);
    expect(index.find(2, 0.8)?.index).toBe(0);
    expect(index.find(1, 0.8)?.index).toBe(0);
    expect(index.find(3, 0)).toBe(undefined);
  });
});

describe('Shingler', () => {
  const shingler = new Shingler();
  const similarity = (a: string, b: string): number => jaccard(shingler.shingleSet(a), shingler.shingleSet(b));

  it('ignores case, punctuation and white space, and sees every Chinese character', () => {
    expect(similarity('The quick, brown FOX jumps — over it!', 'the quick brown\n fox jumps over it')).toBe(1);
    expect(similarity('人工智能是一个分支。', '人工智能，是一个分支')).toBe(1);
    expect(similarity('人工智能是一个分支', '人工智能是一个学科')).toBeLessThan(0.5);
    expect(similarity('用Python写代码很好', '用 python 写代码很好')).toBe(1);
  });

  it('counts n-4 shingles of n units, and one for fewer than five', () => {
    for (const [text, count] of [['', 0], ['...', 0], ['a', 1], ['a b c d', 1], ['a b c d e', 1], ['a b c d e f', 2], ['一二三四五六七', 3]] as const) {
      expect(shingler.shingles(text).length).toBe(count);
    }
  });

  it('depends on the order and on nothing before the shingle', () => {
    const long = shingler.shingles('x y z a b c d e').slice(), short = shingler.shingles('a b c d e').slice();
    expect(long.at(-1)).toBe(short[0]);
    expect(similarity('a b c d e', 'e d c b a')).toBe(0);
  });

  it('signature() estimates Jaccard within five standard errors', () => {
    const random = new Random(3, 'estimate'), one = new Uint32Array(SIGNATURE_LENGTH), two = new Uint32Array(SIGNATURE_LENGTH);
    for (const wanted of [0.3, 0.5, 0.8, 0.95]) {
      const original = units(random, 3000, false), copy = vary(random, original, wanted, false).join(' ');
      shingler.signature(original.join(' '), one);
      shingler.signature(copy, two);
      const exact = similarity(original.join(' '), copy), estimate = one.filter((x, i) => x === two[i]).length / SIGNATURE_LENGTH;
      expect(Math.abs(estimate - exact)).toBeLessThan(5 * Math.sqrt((exact * (1 - exact)) / SIGNATURE_LENGTH));
    }
  });
});

describe('ContentKey', () => {
  it('of() is equal where texts differ in white space only', () => {
    const key = new ContentKey();
    expect(key.of('a b\n c')).toBe(key.of('ab\tc  '));
    expect(key.of('中\u3000文')).toBe(key.of('中文'));
    expect(key.of('ab')).not.toBe(key.of('ba'));
    expect(key.of('a'.repeat(5000))).not.toBe(key.of('a'.repeat(5001)));
  });
});
