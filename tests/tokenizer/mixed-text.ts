// Text of all kinds, sound and broken, the same for a seed: English, Chinese, code, emoji, marks, controls, other scripts.

import { readFileSync } from 'node:fs';
import { Random } from '../../src/base/random.ts';

const CORPUS = readFileSync(new URL('../golden/tokenizer/corpus.txt', import.meta.url), 'utf8').split('\n').filter((line) => line !== '');

export const SNIPPETS = [
  'the',
  'The',
  ' of',
  "don't",
  "I'LL",
  ' 12345',
  '3.14',
  '1,000',
  '人工智能',
  '你好，世界！',
  '……',
  '《红楼梦》',
  '東京タワー',
  'ｶﾞｷﾞ',
  '한국어 문장',
  'ᄒᆞᆫ',
  'שלום',
  'مرحبا بالعالم',
  'नमस्ते',
  'ไทยแลนด์',
  '🎉',
  '👩‍👩‍👧',
  '🇨🇳🇫🇷',
  '❤️',
  '👍🏽',
  'e\u0301',
  'a\u0323\u0301\u0327',
  'Å',
  'Å',
  'ﬁ',
  '①',
  'Ａ',
  '½',
  '²',
  'Ⅷ',
  'ß',
  'İ',
  'ΑΣ',
  'ſ',
  'ŉ',
  '\u200b',
  '\u200d',
  '\u00ad',
  '\ufeff',
  '\u202e',
  '\u2028',
  '\u0085',
  '\0',
  '\x7f',
  '\ufffd',
  '\ufffe',
  '\u{10ffff}',
  '\u{20000}',
  '\u0378',
  '\ue000',
  '\u3000',
  '\u00a0',
  '\t',
  '\r\n',
  '\n\n',
  '\n',
  '   ',
  ' ',
  ' ',
  'def f(x):\n    return x ** 2',
  'for (let i = 0; i < n; i++) {',
  '#include <vector>',
  '==>',
  '!==',
  '__init__',
  'snake_case',
  'camelCase',
  'a-b_c',
  '</s>',
  '<s>',
  '<|end|>',
  '[MASK]',
  '▁',
  '<0x41>',
  'http://x.y/?a=b&c=d',
  '"quoted"',
  "''",
  '``',
];

/** @param units UTF-16 units, about; @param isBroken with lone surrogates */
export function mixedText(units: number, seed: number, isBroken = false): string {
  const random = new Random(seed), parts: string[] = [], pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform() * list.length)]!;
  for (let length = 0; length < units;) {
    const kind = random.uniform();
    let part: string;
    if (kind < 0.3) part = pick(CORPUS);
    else if (kind < 0.97) part = pick(SNIPPETS) + (random.uniform() < 0.5 ? ' ' : '');
    else if (isBroken) part = String.fromCharCode(0xd800 + Math.floor(random.uniform() * 0x800));
    else part = String.fromCodePoint(0xa0 + Math.floor(random.uniform() * 0xd000));
    parts.push(part);
    length += part.length;
  }
  return parts.join('');
}
