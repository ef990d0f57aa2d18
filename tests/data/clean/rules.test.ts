import { describe, expect, it } from 'vitest';
import { c4Quality, countSentences } from '../../../src/data/clean/c4-quality.ts';
import { finewebQuality } from '../../../src/data/clean/fineweb-quality.ts';
import { gopherQuality } from '../../../src/data/clean/gopher-quality.ts';
import { gopherRepetition } from '../../../src/data/clean/gopher-repetition.ts';
import { languageFilter } from '../../../src/data/clean/language-filter.ts';
import { lengthFilter } from '../../../src/data/clean/length-filter.ts';
import { licenceFilter } from '../../../src/data/clean/licence-filter.ts';
import { normalise } from '../../../src/data/clean/normalise.ts';
import { repeatedLines, repeatedParagraphs } from '../../../src/data/clean/repeated-parts.ts';
import { isIdeographic, WordScanner } from '../../../src/data/clean/words.ts';
import type { Edit, Rule, StageContext } from '../../../src/data/stage.ts';

const document = (text: string, more = {}) => ({ id: 'a', path: 'a', group: '', text, bytes: Buffer.byteLength(text), ...more });
const judge = <O>(rule: Rule<O>, text: string, options: object = {}): string | undefined => rule.judge(rule.options.parse(options))(document(text));
const context: StageContext = { seed: 0, drop: () => {}, change: () => {}, count: () => {} };
const edit = <O>(kind: Edit<O>, text: string, options: object = {}) => kind.edit(kind.options.parse(options), context)(document(text));

/** Prose of `n` different words of `length` letters; every tenth is a stop word. */
const prose = (n: number, length = 5): string => Array.from({ length: n }, (_, i) => (i % 10 === 0 ? ['the', 'and', 'with'][i / 10 % 3]! : (i * 7919 + 26 ** (length - 1)).toString(26).replace(/\d/g, (d) => 'qrstuvwxyz'[+d]!).slice(0, length).padEnd(length, 'a'))).join(' ');
const CHINESE = '春天来了，河边的柳树发出了新芽，孩子们在草地上跑来跑去，老人坐在长椅上晒太阳，谈论着过去的事情。' +
  '远处的山还盖着一层薄雪，但是空气里已经有了花的香味，这是一年里最让人高兴的时候，也是播种的季节，农民们开始忙起来。';

describe('WordScanner', () => {
  it('finds words, symbols and ideographs with their places', () => {
    const text = "Don't stop: 3.14 is “π”, 中文ok --- end.", scanner = new WordScanner(), words = scanner.scan(text);
    expect(Array.from({ length: words.n }, (_, i) => text.slice(words.starts[i]!, words.ends[i]!)))
      .toEqual(["Don't", 'stop', ':', '3.14', 'is', '“', 'π', '”,', '中', '文', 'ok', '---', 'end', '.']);
    expect(words).toMatchObject({ n: 14, plain: 9, alphabetic: 8, ideographs: 2 });
    expect(isIdeographic(words)).toBe(false);
    expect(scanner.scan('x '.repeat(5000)).n).toBe(5000);
    expect(scanner.scan('').n).toBe(0);
  });
});

describe('gopher-quality (arXiv 2112.11446, A1.1)', () => {
  // Each case is on one side of a threshold of the paper by one word, line or sign.
  const cases: [string, string, string | undefined][] = [
    ['keeps 50 words', prose(50), undefined],
    ['drops 49 words', prose(49), 'gopher_short_doc'],
    ['drops 100,001 words', prose(100_001), 'gopher_long_doc'],
    ['drops words of two letters', 'ab cd the of to be '.repeat(20), 'gopher_below_avg_threshold'],
    ['drops words of twelve letters', `the and ${'abcdefghijkl '.repeat(60)}`, 'gopher_above_avg_threshold'],
    ['keeps hashes at a tenth', `${prose(90)}${' #'.repeat(10)}`, undefined],
    ['drops hashes above a tenth', `${prose(90)}${' #'.repeat(11)}`, 'gopher_too_many_hashes'],
    ['drops ellipses above a tenth', prose(90).split(' ').map((word, i) => (i % 8 === 0 ? `${word}...` : word)).join(' '), 'gopher_too_many_ellipsis'],
    ['drops bulleted lines', prose(100).split(' ').map((word, i) => (i % 20 === 0 ? `\n- ${word}` : word)).join(' ').trim(), 'gopher_too_many_bullets'],
    ['drops lines that trail off', `${prose(100)}…\n${prose(100)}\n${prose(100)}`, 'gopher_too_many_end_ellipsis'],
    ['drops numbers', `${prose(70)} ${'12 '.repeat(30)}`, 'gopher_below_alpha_threshold'],
    ['drops text without stop words', prose(60).replace(/\b(the|and|with)\b/g, 'word'), 'gopher_enough_stop_words'],
    ['keeps Chinese prose', CHINESE, undefined],
    ['drops a Chinese title', '人工智能的历史和现在', 'gopher_short_doc'],
    ['drops Chinese without function words', '苹果香蕉梨子葡萄西瓜桃李杏枣柿'.repeat(8), 'gopher_enough_stop_words'],
  ];
  for (const [what, text, expected] of cases) it(what, () => expect(judge(gopherQuality, text)?.split(':')[0]).toBe(expected));

  it('says what it saw and the threshold', () => expect(judge(gopherQuality, prose(49))).toBe('gopher_short_doc: 49 words < 50'));
});

describe('gopher-repetition (arXiv 2112.11446, table A1)', () => {
  const repeat = (part: string, n: number): string => Array.from({ length: n }, () => part).join(' ');
  const cases: [string, string, string | undefined][] = [
    ['keeps prose', prose(300), undefined],
    ['keeps a few words', 'Hello there', undefined],
    ['keeps two of ten paragraphs that stood before', Array.from({ length: 10 }, (_, i) => (i < 7 ? `${i} ${prose(300).slice(i * 100, i * 100 + 100)}` : 'x')).join('\n\n'), undefined],
    ['drops four of ten paragraphs that stood before', Array.from({ length: 10 }, (_, i) => (i < 5 ? `${i} ${prose(300).slice(i * 100, i * 100 + 100)}` : 'x')).join('\n\n'), 'dup_para_frac'],
    ['drops four of ten lines', [...prose(60).match(/(\S+ ){10}/g)!.slice(0, 4), 'x', 'x', 'x', 'x', 'x', 'x'].join('\n'), 'dup_line_frac'],
    ['drops a frequent pair of words', `${prose(60)} ${repeat('good morning', 12)}`, 'top_2_gram'],
    ['drops repeated sentences', Array.from({ length: 4 }, (_, i) => `${prose(40).slice(i)} ${prose(200).slice(-150)} part${i}`).join(' '), 'duplicated_5_n_grams'],
    ['keeps Chinese prose', CHINESE, undefined],
    ['drops Chinese that repeats', `${CHINESE}${'欢迎光临本店！'.repeat(10)}`, 'top_3_gram'],
  ];
  for (const [what, text, expected] of cases) it(what, () => expect(judge(gopherRepetition, text)?.split(':')[0]).toBe(expected));

  it('counts as the definition does: one pair of words, twelve times, with its space', () => {
    const text = `${prose(60)} ${repeat('good morning', 12)}`;
    expect(judge(gopherRepetition, text)).toBe(`top_2_gram: ${(100 * 12 * 'good morning'.length / text.length).toFixed(1)}% > 20.0%`);
  });
});

describe('c4-quality (arXiv 1910.10683, 2.2)', () => {
  const LINES = ['The first sentence stands here.', 'Is this the second one?', 'Yes, that is what it is!', 'The fourth says “so it is.”', 'Five lines are enough now.'];
  it('keeps five sentences', () => expect(edit(c4Quality, LINES.join('\n'))).toBeUndefined());
  it('leaves out lines that are no sentences, by the reasons of the paper', () => {
    const noise = ['Home', 'Sign in now', 'Enable JavaScript to see this page.', 'This site uses cookies to serve you.', 'No end...', 'Read on.'];
    expect(edit(c4Quality, [noise[0], ...LINES, ...noise.slice(1)].join('\n'))).toMatchObject({
      document: { text: LINES.join('\n') },
      detail: 'lines: no_terminal_punc 3, javascript 1, policy 1, too_few_words 1',
    });
  });
  it('drops pages with fewer sentences, a brace or lorem ipsum', () => {
    expect(edit(c4Quality, LINES.slice(1).join('\n'))).toMatchObject({ document: { text: '' }, detail: 'too_few_sentences: 4 < 5' });
    expect(edit(c4Quality, `${LINES.join('\n')}\nif (a) { b now }.`)).toMatchObject({ document: { text: '' }, detail: expect.stringContaining('curly_bracket') });
    expect(edit(c4Quality, `${LINES.join('\n')}\nLorem ipsum dolor sit.`)).toMatchObject({ detail: expect.stringContaining('lorem_ipsum') });
  });
  it('keeps Chinese prose and leaves out its menus', () => {
    const lines = ['今天的天气很好。', '我们去公园散步吧！', '你想带上相机吗？', '当然，我很喜欢拍照。', '那我们早点出发。'];
    expect(edit(c4Quality, ['首页', ...lines, '请阅读我们的隐私政策。'].join('\n'))?.document.text).toBe(lines.join('\n'));
  });
  it('counts sentences, not dots', () => {
    expect(countSentences('One. Two! Three? 4.5 and e.g. this.')).toBe(4);
    expect(countSentences('一。二！“三？”四。')).toBe(4);
    expect(countSentences('')).toBe(0);
  });
});

describe('fineweb-quality (arXiv 2406.17557, 3.6)', () => {
  const line = (i: number, end = '.'): string => `Line number ${i} says something about ${['apples', 'rivers', 'music', 'stars'][i % 4]} and ${i * 17}${end}`;
  const lines = (n: number, end = '.'): string[] => Array.from({ length: n }, (_, i) => line(i, end));
  const cases: [string, string, string | undefined][] = [
    ['keeps prose', lines(10).join('\n'), undefined],
    ['drops lines without ends', [...lines(9, ''), 'End.'].join('\n'), 'line_punct_ratio'],
    ['keeps one end in eight', [...lines(7, ''), line(8)].join('\n'), undefined],
    ['drops short lines', [...lines(3), ...Array.from({ length: 7 }, (_, i) => `Item ${i} of the list.`)].join('\n'), 'short_line_ratio'],
    ['drops a line that stands twice', [...lines(10), line(0)].join('\n'), 'char_dup_ratio'],
    ['drops blank text', ' \n\n', 'empty'],
    ['keeps Chinese', CHINESE.split('，').join('，\n').replace(/，\n/g, '，'), undefined],
  ];
  for (const [what, text, expected] of cases) it(what, () => expect(judge(finewebQuality, text)?.split(':')[0]).toBe(expected));
});

describe('repeated-lines, repeated-paragraphs', () => {
  it('keep the first of each, and short ones always', () => {
    expect(edit(repeatedLines, 'A line of text\n}\nanother line\n  A line of text\n}')).toMatchObject({ document: { text: 'A line of text\n}\nanother line\n}', bytes: 31 }, detail: '1 of 5 lines stood before' });
    expect(edit(repeatedLines, 'one line here\ntwo lines here')).toBeUndefined();
    const paragraph = 'A paragraph that is long enough to be looked at.';
    expect(edit(repeatedParagraphs, `${paragraph}\n\nother\n\n${paragraph}\n\nother`)?.document.text).toBe(`${paragraph}\n\nother\n\nother`);
  });
});

describe('licence', () => {
  const keeps = (licence: string | undefined, options = {}): boolean => {
    const { licence: _, ...bare } = { ...document('x'), licence };
    return licenceFilter.judge(licenceFilter.options.parse(options))(licence === undefined ? bare : { ...bare, licence }) === undefined;
  };
  it('evaluates SPDX expressions', () => {
    for (const licence of ['MIT', 'mit', 'Apache-2.0 OR GPL-3.0-only', '(MIT AND BSD-3-Clause)', 'GPL-2.0 OR (MIT AND ISC)', 'MIT/Apache-2.0', 'Apache-2.0 WITH LLVM-exception']) expect(keeps(licence), licence).toBe(true);
    for (const licence of ['GPL-3.0-only', 'MIT AND GPL-2.0', 'LicenseRef-x', '', 'MIT OR', '(MIT', 'MIT MIT', 'NOASSERTION', '('.repeat(10_000)]) expect(keeps(licence), licence).toBe(false);
  });
  it('keeps the unknown where asked, and lets deny win over patterns', () => {
    expect(keeps(undefined)).toBe(false);
    expect(keeps(undefined, { unknown: 'keep' })).toBe(true);
    expect(keeps('BSD-4-Clause', { allow: ['BSD-*'] })).toBe(true);
    expect(keeps('BSD-4-Clause', { allow: ['BSD-*'], deny: ['bsd-4-clause'] })).toBe(false);
  });
});

describe('length, language', () => {
  it('keep what is within their limits', () => {
    expect(judge(lengthFilter, 'one two three', { minWords: 4 })).toBe('3 words < 4');
    expect(judge(lengthFilter, 'ab\nabcdef\n', { maxLine: 5 })).toBe('a line of 6 characters > 5');
    expect(judge(lengthFilter, 'abc', { minCharacters: 3, maxCharacters: 3, maxLine: 3, maxWords: 1 })).toBeUndefined();
    expect(judge(languageFilter, CHINESE, { keep: ['zh'] })).toBeUndefined();
    expect(judge(languageFilter, CHINESE, { keep: ['zh-Hant'] })).toBe('zh-Hans is not in zh-Hant');
    expect(judge(languageFilter, '12345', {})).toContain('und');
  });
});

describe('normalise', () => {
  const text = (input: string, options = {}): string => edit(normalise, input, options)?.document.text ?? input;
  it('repairs encodings and composes', () => {
    expect(text('ä¸\u00adæ–‡å\u00ad¦ä¹\u00a0\r\n\0')).toBe('中文学习\n');
    expect(text('cafe\u0301')).toBe('café');
    expect(text('lone \ud800 surrogate é')).toBe('lone \ufffd surrogate é');
    expect(edit(normalise, 'plain text\n')).toBeUndefined();
  });
  it('takes out what is not seen, and leaves what spells', () => {
    expect(text('a\u202eb\u2066c\u200bd\u00ade\u2060f é')).toBe('abcdef é');
    expect(text('hid\u{e0041}\u{e0042}den é')).toBe('hidden é');
    expect(text('می\u200cخواهم')).toBe('می\u200cخواهم');
    expect(text('👩\u200d💻 क्\u200dष')).toBe('👩\u200d💻 क्\u200dष');
    expect(text('a\u200db\u200cc é')).toBe('abc é');
  });
  it('folds widths only where asked, and leaves Chinese punctuation', () => {
    expect(text('ＡＢＣ１２３，ﾃｽﾄ')).toBe('ＡＢＣ１２３，ﾃｽﾄ');
    expect(text('ＡＢＣ１２３，ﾃｽﾄ', { width: 'ascii' })).toBe('ABC123，テスト');
    expect(text('ﬁ²', { form: 'NFKC' })).toBe('fi2');
  });
});
