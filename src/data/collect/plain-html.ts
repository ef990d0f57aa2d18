// All the text of a page that is nothing but text: a chapter of a book has no boilerplate to find. Layer: data (pure).

import { Parser } from 'htmlparser2';

const HIDDEN = new Set(['script', 'style', 'noscript', 'template', 'head', 'svg', 'title']);
const BLOCK = new Set('p div section article main header footer aside h1 h2 h3 h4 h5 h6 ul ol li table tr pre blockquote figure figcaption dl dt dd hr body nav'.split(' '));
/** Beyond this depth elements are passed over: the parser's own time grows with the depth. */
const MAX_DEPTH = 512;

/** The text, a block each, apart by an empty line; headings and list items marked as in Markdown if wanted. */
export function htmlText(html: string, markdown: boolean): string {
  const blocks: string[] = [];
  let line = '', mark = '', hidden = 0, depth = 0, pre = 0;
  const end = (): void => {
    const text = pre > 0 ? line.trimEnd() : line.replace(/[^\S\n]+/g, ' ').replace(/ ?\n ?/g, '\n').trim();
    if (text !== '') blocks.push(mark + text);
    if (text !== '') mark = '';
    line = '';
  };
  const parser = new Parser({
    onopentagname(name) {
      if (++depth > MAX_DEPTH) return;
      if (HIDDEN.has(name)) hidden++;
      if (BLOCK.has(name)) end();
      if (markdown && /^h[1-6]$/.test(name)) mark = `${'#'.repeat(Number(name[1]))} `;
      else if (markdown && name === 'li') mark = '- ';
      else if (BLOCK.has(name) && name !== 'p' && name !== 'div') mark = '';
      if (name === 'pre') pre++;
      if (name === 'br') line += '\n';
      if (name === 'td' || name === 'th') line += ' ';
    },
    ontext(text) {
      if (hidden === 0) line += pre > 0 ? text : text.replace(/\s+/g, ' ');
    },
    onclosetag(name) {
      if (depth-- > MAX_DEPTH) return;
      if (BLOCK.has(name)) end();
      if (/^(h[1-6]|li)$/.test(name)) mark = '';
      if (name === 'pre') pre = Math.max(0, pre - 1);
      if (HIDDEN.has(name)) hidden = Math.max(0, hidden - 1);
    },
  }, { decodeEntities: true });
  // In steps, so that nesting beyond all reason is given up before it costs: each open element is looked through.
  for (let at = 0; at < html.length; at += 65536) {
    if (depth > 8 * MAX_DEPTH) break;
    parser.write(html.slice(at, at + 65536));
  }
  parser.end();
  end();
  return blocks.join('\n\n');
}
