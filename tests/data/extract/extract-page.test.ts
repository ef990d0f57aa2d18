import { describe, expect, test } from 'vitest';
import { extractPage } from '../../../src/data/extract/index.ts';

const SENTENCES = [
  'The tide turned before noon, and the boats that had waited in the lee of the island went out again, one after the other.',
  'Nobody had counted them, but the harbour master, who kept a book of such things, wrote down forty, and was off by two.',
  'By evening the wind had gone round to the north, which the old people had said it would, and the fish lay in their boxes.',
];
const HAN = ['潮水在中午之前转了方向，停在岛后面的船一条接一条地出海去了，谁也没有数过有多少条。', '港口的老人有一个本子，他写下四十条，其实多算了两条；到了晚上，风果然转向北方。', '鱼已经装在箱子里，灯也点起来了，明天一早它们就会在城里的市场上出现，价钱还没有定。'];
const page = (sentences: readonly string[], extra = ''): string =>
  `<!doctype html><html lang="en"><head><title>Forty boats | The Harbour</title><script type="application/ld+json">{"@type":"NewsArticle","author":{"name":"Ada Reed"},"datePublished":"2021-03-04T10:00:00Z"}</script></head>
  <body><nav><ul><li><a href="/">Home</a></li><li><a href="/news">News of the harbour and the town</a></li></ul></nav>
  <div class="cookie-banner"><p>We use cookies to make this site better, and you agree to it by reading on, or you do not.</p></div>
  <div id="content"><h1>Forty boats</h1><div class="share-buttons"><a href="#">Share</a></div>${sentences.map((s) => `<p>${s}</p>`).join('')}${extra}</div>
  <div class="related-posts"><h3>Related</h3><ul><li><a href="/a">Another story about another harbour</a></li></ul></div>
  <div id="comments"><p>First! I have always said that nobody counts boats any more, and that the book was wrong.</p></div>
  <footer><p>© 2021 The Harbour. All rights reserved.</p></footer></body></html>`;

describe('extractPage()', () => {
  test.each([['English', SENTENCES], ['Chinese', HAN]])('extractPage() keeps the paragraphs of an article in %s and nothing around them', (_, sentences) => {
    const { text, title, author, date, language } = extractPage(page(sentences));
    expect(text).toBe(sentences.join('\n\n'));
    expect({ title, author, date, language }).toEqual({ title: 'Forty boats', author: 'Ada Reed', date: '2021-03-04', language: 'en' });
  });

  test('extractPage() keeps comments on demand', () => {
    expect(extractPage(page(SENTENCES), { comments: true }).text).toContain('nobody counts boats');
  });
});
