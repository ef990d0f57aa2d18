import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { wikitextToText } from '../../../src/data/collect/wikitext.ts';
import { readBytes } from './collecting.ts';

const page = (title: string, text: string, more = '', ns = 0): string => `<page><title>${title}</title><ns>${ns}</ns><id>1</id>${more}<revision><id>99</id><timestamp>2024-01-02T00:00:00Z</timestamp><text xml:space="preserve">${text}</text></revision></page>`;
const DUMP = `<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="zh"><siteinfo><sitename>W</sitename><base>https://zh.wikipedia.org/wiki/Wikipedia:首页</base></siteinfo>${page('猫 (动物)', "'''猫'''是一种[[哺乳动物|动物]]。&lt;ref&gt;note&lt;/ref&gt;")}${
  page('R', '#REDIRECT [[x]]', '<redirect title="x"/>')
}${page('Talk:x', 'talk', '', 1)}${page('Empty', '{{stub}}')}${page('Last', 'The last &amp;amp; least.')}</mediawiki>`;

describe('wikitextToText()', () => {
  it.each([
    ["'''Bold''' and ''italic'' [[Target#part|shown]] and [[plain]].", 'Bold and italic shown and plain.'],
    ['a{{cite|x={{inner|[[y]]}}}}b {{lang|fr|mot}} {{convert|5|km}}', 'ab mot 5 km'],
    ['{| class="x"\n| cell {| nested |}\n|}\nafter', 'after'],
    ['x[[File:a.jpg|thumb|A [[caption]] here]]y[[Category:Z]][[文件:b.png|猫]]', 'xy'],
    ['a<ref name="r">n</ref>b<ref name="r" />c<!-- no -->d', 'abcd'],
    ['see [https://a.test/x the site] and [https://b.test]', 'see the site and'],
    ['text\n== Head ==\nbody\n=== Sub ===\n* one\n** two\n== See also ==\n{{x}}', 'text\n\n## Head\n\nbody\n\n### Sub\n\n- one\n  - two'],
    ['-{zh-hans:软件;zh-hant:軟體}-和-{R|原文}-', '软件和原文'],
    ['Name ({{IPA|x}}) is（）now here&nbsp;&#x4e2d;', 'Name isnow here 中'],
    ['<math>x_{i}^{2}</math> is <span style="a">kept</span><br/>line', '$x_{i}^{2}$ is kept\nline'],
    ['an open {{ stays [[and this', 'an open {{ stays [[and this'],
  ])('%#', (wikitext, text) => {
    expect(wikitextToText(wikitext, true)).toBe(text);
  });

  it('takes time in proportion to a page, whatever it nests', () => {
    const start = performance.now();
    for (const piece of ['{{', '[[', '{|', '<ref>', "'''", '<!--', '-{', '[http://a ', '(', '== ']) wikitextToText(piece.repeat(200_000), true);
    expect(performance.now() - start).toBeLessThan(8000);
  });
});

describe('wikipedia', () => {
  it.each([['dump.xml', Buffer.from(DUMP)], ['dump.xml.gz', gzipSync(DUMP)]])('reads the articles of %s', async (name, bytes) => {
    const { documents, skips, counts } = await readBytes(name, bytes);
    expect(documents.map(({ id, text }) => [id, text])).toEqual([[`s/${name}#0`, '# 猫 (动物)\n\n猫是一种动物。'], [`s/${name}#4`, '# Last\n\nThe last & least.']]);
    expect(documents[0]!.meta).toEqual({ title: '猫 (动物)', url: 'https://zh.wikipedia.org/wiki/%E7%8C%AB_(%E5%8A%A8%E7%89%A9)', date: '2024-01-02T00:00:00Z', language: 'zh' });
    expect(skips).toMatchObject([{ record: 3, reason: 'no-text' }]);
    expect(counts).toMatchObject({ 'wikipedia.redirects': 1, 'wikipedia.other-namespaces': 1 });
  });

  it('cut anywhere keeps the pages before and says so', async () => {
    const bytes = Buffer.from(DUMP);
    for (let length = 0; length < bytes.length; length += 23) {
      const { documents, skips } = await readBytes('dump.xml', bytes.subarray(0, length));
      expect(documents.length + skips.length, `at ${length}`).toBeGreaterThan(0);
    }
    expect((await readBytes('dump.xml', bytes.subarray(0, -20))).skips.at(-1)!.reason).toBe('truncated');
  });
});
