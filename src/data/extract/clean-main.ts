// Boilerplate inside the main element: lists of links, lines about sharing, empty headings, the title once more. Layer: data.

import { BLOCK_TAGS, type Features, type Measured } from './measure-tree.ts';
import type { Element } from './page-tree.ts';

/** Short blocks that begin so are calls, not text; in the languages that were at hand to check. */
const CALL = new RegExp(
  '^(?:' + [
    'read (?:more|also|next|on|the full)',
    'see also',
    'also read',
    'more (?:from|on|about|stories)',
    'related',
    'recommended',
    'you (?:may|might) (?:also )?(?:like|be interested)',
    'don.t miss',
    'watch(?: now| more| the)?:',
    'share (?:this|on|via|with)',
    'follow (?:us|me|@)',
    'subscribe',
    'sign up',
    'click here',
    'download (?:the|our) app',
    'advert',
    'sponsored',
    'continue reading',
    'story continues',
    'loading',
    'comments?$',
    'leave a (?:reply|comment)',
    'all rights reserved',
    'copyright',
    '©',
    '\\(c\\) \\d',
    'tags?:',
    'filed under',
    'posted (?:in|by|on)',
    'tweet$',
    'share$',
    'print$',
    'e-?mail$',
    'photo(?:graph)?:',
    'image(?: credit| source)?:',
    'credit:',
    'source:?$',
    'topics?:?$',
    'back to top',
    'skip to',
    'lesen sie auch',
    'mehr (?:zum|zu|aus|von|lesen)',
    'lire aussi',
    '[àa] lire',
    'voir aussi',
    'leia (?:também|mais)',
    'veja também',
    'lee también',
    'lea también',
    'te puede interesar',
    'leggi anche',
    'lees ook',
    'читайте также',
    'подписывайтесь',
    'weiterlesen',
    'teilen',
    'partager',
    'compartir',
    '相关(?:阅读|新闻|文章|推荐|链接)',
    '延伸阅读',
    '推荐阅读',
    '更多(?:内容|精彩|新闻|阅读)',
    '责任编辑',
    '责编',
    '分享(?:到|至)',
    '扫一扫',
    '版权(?:所有|声明)',
    '上一篇',
    '下一篇',
    '点击(?:查看|阅读|下载)',
    '关注我们',
    '免责声明',
    '返回(?:顶部|首页)',
    '相關(?:閱讀|新聞|文章)',
    '延伸閱讀',
    '推薦閱讀',
    '責任編輯',
    '関連記事',
    'あわせて読みたい',
    '관련 ?기사',
  ].join('|') + ')',
  'iu',
);
/** A call is short; a sentence that begins alike goes on. */
const MAX_CALL = 120;
/** Blocks whose text is links to this share, and which have no prose, are ways about, not text. */
const LINKED = 0.5;
const CONTAINERS = new Set('div section ul ol dl table aside header p figure span center form menu tbody tr td fieldset details h2 h3 h4 h5 h6'.split(' '));

export type CleanOptions = {
  title: string;
  /** Keep pictures and their captions. */
  images: boolean;
  /** A page of links (an index, a directory) keeps its lists. */
  links: boolean;
};

/** Cleans in place; measures above what is taken out are not brought up to date. */
export function cleanMain(main: Element, measured: Measured, options: CleanOptions): void {
  sweep(main, measured, options, false);
  dropIdleHeadings(main);
}

function sweep(element: Element, measured: Measured, options: CleanOptions, inText: boolean): void {
  for (let i = 0; i < element.children.length; i++) {
    const child = element.children[i]!;
    if (typeof child === 'string') continue;
    const f = measured.get(child);
    if (f === undefined || child.tag === 'math' || child.tag === 'pre') continue;
    if (isJunk(child, f, options, inText)) {
      // A call above a list: the list is what it calls to.
      if (f.chars <= MAX_CALL && f.chars > 0) dropCalled(element, i + 1, measured);
      element.children[i] = ' ';
    } else sweep(child, measured, options, inText || child.tag === 'p' || child.tag === 'li' || child.tag === 'td');
  }
}

function dropCalled(element: Element, from: number, measured: Measured): void {
  for (let i = from; i < element.children.length && i < from + 4; i++) {
    const next = element.children[i]!;
    if (typeof next === 'string') {
      if (next.trim() !== '') return;
      continue;
    }
    const f = measured.get(next);
    if (f === undefined || (next.tag !== 'ul' && next.tag !== 'ol') || f.linkChars < 0.3 * f.chars) return;
    element.children[i] = ' ';
    return;
  }
}

function isJunk(element: Element, f: Features, options: CleanOptions, inText: boolean): boolean {
  const { tag } = element;
  if (!options.images && (tag === 'figure' || tag === 'figcaption')) return f.prose < 8 || tag === 'figcaption';
  if (!options.images && f.hint === 'caption' && f.quotes === 0 && f.chars < 600 && f.headings === 0 && !inText) return true;
  if (f.hint === 'meta' && f.chars < 200 && f.paragraphs < 2 && tag !== 'time' && !inText && f.marks < 4) return true;
  if (tag === 'h1' && sameTitle(textOf(element), options.title)) return true;
  if (!CONTAINERS.has(tag) || f.chars === 0) return false;
  const isBlock = BLOCK_TAGS.has(tag) || f.hasBlocks;
  if (!isBlock) return false;
  if (f.chars <= MAX_CALL && CALL.test(textOf(element).trim())) return true;
  if (inText || options.links) return false;
  const density = f.linkChars / f.chars;
  if (tag === 'p' || /^h\d$/.test(tag)) return density > 0.9 && f.chars < 200 && tag === 'p';
  if (density > LINKED && f.prose < 3 && f.chars < 3000) return true;
  return f.controls > 2 && f.prose < 3 * f.controls;
}

/** Headings at the end of the text, with nothing below them. */
function dropIdleHeadings(main: Element): void {
  let idle: (readonly [parent: Element, index: number])[] = [];
  const read = (element: Element): void => {
    for (let i = 0; i < element.children.length; i++) {
      const child = element.children[i]!;
      if (typeof child === 'string') {
        if (/\S/.test(child)) idle = [];
      } else if (/^h[1-6]$/.test(child.tag)) idle.push([element, i]);
      else if (child.tag === 'img' || child.tag === 'math') idle = [];
      else read(child);
    }
  };
  read(main);
  for (const [parent, index] of idle) parent.children[index] = ' ';
}

/** All text below, as it stands; at most `limit` characters of it. */
export function textOf(element: Element, limit = 4096): string {
  let text = '';
  const read = (at: Element): void => {
    for (const child of at.children) {
      if (text.length >= limit) return;
      if (typeof child === 'string') text += child;
      else if (child.tag !== 'script') read(child);
    }
  };
  read(element);
  return text;
}

const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');

/** Whether a heading is the page's title, or the title with the site's name. */
export function sameTitle(heading: string, title: string): boolean {
  const a = plain(heading), b = plain(title);
  return a !== '' && b !== '' && (a === b || (a.length > 8 && b.startsWith(a)) || (b.length > 8 && a.startsWith(b) && a.length < b.length + 20));
}
