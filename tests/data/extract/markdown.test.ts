import { describe, expect, test } from 'vitest';
import { extractPage } from '../../../src/data/extract/index.ts';

const PROSE = `<p>${'A sentence that is long enough to be prose, and then some more of it. '.repeat(4).trim()}</p>`;
const markdownOf = (html: string): string => extractPage(`<html><body><article>${PROSE}${html}${PROSE.replace('A sentence', 'One more sentence')}</article></body></html>`).markdown.split('\n\n').slice(1, -1).join('\n\n');

describe('extractPage() as Markdown', () => {
  test.each([
    ['headings and emphasis', '<h2>Über <em>alles</em></h2><p>It is <b> bold </b>and <code>a`b</code>.</p>', '## Über *alles*\n\nIt is **bold** and ``a`b``.'],
    ['nested lists', '<ol start="3"><li>drei<ul><li>a</li><li>b</li></ul></li><li>vier</li></ol>', '3. drei\n   - a\n   - b\n4. vier'],
    ['tables', '<table><tr><th>年</th><th>a|b</th></tr><tr><td>2020</td><td>1</td></tr></table>', '| 年 | a\\|b |\n| --- | --- |\n| 2020 | 1 |'],
    ['code with its language and without line numbers', '<div class="highlight"><pre><code class="language-ts"><span class="lineno">1</span>const a = 1;\n<span class="lineno">2</span>  a++;\n</code></pre></div>', '```ts\nconst a = 1;\n  a++;\n```'],
    ['quotes', '<blockquote><p>潮水转了方向。</p></blockquote>', '> 潮水转了方向。'],
    ['MathML with an annotation', '<p>Let <math><semantics><mi>x</mi><annotation encoding="application/x-tex">x^2</annotation></semantics></math> be.</p>', 'Let $x^2$ be.'],
    ['MathML without one', '<p>So <math><mfrac><mn>1</mn><msup><mi>x</mi><mn>2</mn></msup></mfrac></math>.</p>', 'So $\\frac{1}{x^{2}}$.'],
    ['KaTeX', '<p>Is <span class="katex"><span class="katex-mathml"><math><annotation encoding="application/x-tex">a_i</annotation></math></span><span class="katex-html" aria-hidden="true">ai</span></span>!</p>', 'Is $a_i$!'],
    ['MathJax scripts', '<p>With <script type="math/tex">y=1</script> here.</p>', 'With $y=1$ here.'],
    ['footnotes', '<p>Said once.<sup><a href="#fn1">1</a></sup></p><ol><li id="fn1">By whom? <a href="#r" class="footnote-backref">↩</a></li></ol>', 'Said once.[^1]\n\n[^1]: By whom?'],
    ['links, resolved or not', '<p>Go <a href="/a b">there</a>, not <a href="javascript:x()">here</a>.</p>', 'Go [there](/a%20b), not here.'],
    ['characters that would be marks', '<p>1 * 2 * 3 and [x] &lt;b&gt; snake_case</p>', '1 \\* 2 \\* 3 and \\[x\\] \\<b> snake_case'],
  ])('extractPage() writes %s', (_, html, expected) => {
    expect(markdownOf(html)).toBe(expected);
  });

  test('extractPage() leaves out Markdown that is not wanted', () => {
    expect(extractPage(PROSE, { markdown: false })).toMatchObject({ markdown: '', text: expect.stringContaining('A sentence') });
  });
});
