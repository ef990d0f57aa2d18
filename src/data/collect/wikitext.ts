// Wikitext to plain text, well enough to learn from: prose, headings and lists stay; templates, tables, notes, files and
// categories go. Layer: data (pure). See https://www.mediawiki.org/wiki/Specs/wikitext.
// Each step is one pass with a stack, so that a page's time is in proportion to its length whatever is in it.

/** Pieces of text between marks, taken from the inside out. Without its closing mark an opening one is text. */
function nested(text: string, open: string, close: string, replace: (inner: string) => string): string {
  const stack: string[] = [];
  // Each mark is searched for once from where it was last found: what is never closed costs no second look.
  let out = '', at = 0, opens = text.indexOf(open), closes = text.indexOf(close);
  while (opens >= 0 || closes >= 0) {
    if (opens >= 0 && (closes < 0 || opens < closes)) {
      if (closes < 0) break;
      stack.push(out + text.slice(at, opens));
      out = '';
      at = opens + open.length;
    } else {
      const inner = out + text.slice(at, closes);
      out = stack.length === 0 ? inner + close : stack.pop()! + replace(inner);
      at = closes + close.length;
    }
    if (opens >= 0 && opens < at) opens = text.indexOf(open, at);
    if (closes >= 0 && closes < at) closes = text.indexOf(close, at);
  }
  out += text.slice(at);
  while (stack.length > 0) out = `${stack.pop()!}${open}${out}`;
  return out;
}

/** Templates that only mark up their text: which of their parts it is. */
const SHOWN: Readonly<Record<string, (parts: readonly string[]) => string>> = {
  lang: (parts) => parts[2] ?? '',
  'lang-en': (parts) => parts[1] ?? '',
  nowrap: (parts) => parts[1] ?? '',
  nobr: (parts) => parts[1] ?? '',
  convert: (parts) => `${parts[1] ?? ''} ${parts[2] ?? ''}`,
  cvt: (parts) => `${parts[1] ?? ''} ${parts[2] ?? ''}`,
  le: (parts) => parts[1] ?? '',
  link: (parts) => parts[1] ?? '',
  'link-en': (parts) => parts[1] ?? '',
  math: (parts) => parts[1] ?? '',
};

function template(inner: string): string {
  const parts = inner.split('|').map((part) => part.trim());
  return SHOWN[parts[0]!.toLowerCase()]?.(parts) ?? '';
}

/** Links to these are pictures, notes on the page and other languages. */
const NO_TEXT = /^\s*:?\s*(file|image|category|media|文件|檔案|档案|图像|圖像|分类|分類|ファイル|画像|カテゴリ|datei|bild|kategorie|fichier|catégorie|archivo|categoría)\s*:/i;

function link(inner: string): string {
  if (NO_TEXT.test(inner) || /^[a-z]{2,3}(-[a-z]+)?:/.test(inner)) return '';
  const bar = inner.lastIndexOf('|');
  return bar < 0 ? inner.replace(/^:/, '').replace(/#.*$/, '') : inner.slice(bar + 1);
}

/** `-{zh-hans:软件;zh-hant:軟體}-`: the first variant, or what stands for all. */
function variant(inner: string): string {
  const body = inner.slice(inner.indexOf('|') + 1), first = body.split(';')[0]!;
  return first.includes(':') ? first.slice(first.indexOf(':') + 1).trim() : first;
}

const ENTITIES: Readonly<Record<string, string>> = { nbsp: ' ', amp: '&', lt: '<', gt: '>', quot: '"', ndash: '–', mdash: '—', thinsp: ' ', hellip: '…', minus: '−', times: '×' };

function entity(whole: string, name: string): string {
  if (name.startsWith('#')) {
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : whole;
  }
  return ENTITIES[name] ?? whole;
}

/** Elements whose content is no prose. `close` is searched from each opening once. */
function withoutElements(text: string, names: readonly string[]): string {
  for (const name of names) {
    const opening = new RegExp(`<${name}(?=[\\s>/])[^<>]*>`, 'gi'), closing = new RegExp(`</${name}\\s*>`, 'gi');
    let out = '', at = 0;
    for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
      out += text.slice(at, match.index);
      at = opening.lastIndex;
      if (match[0].endsWith('/>')) continue;
      closing.lastIndex = at;
      const end = closing.exec(text);
      if (end === null) break;
      at = opening.lastIndex = closing.lastIndex;
    }
    text = out + text.slice(at);
  }
  return text;
}

/**
 * The text of a page.
 *
 * @param markdown headings as `##` and lists as `-`; else bare lines
 */
export function wikitextToText(wikitext: string, markdown: boolean): string {
  let text = nested(wikitext, '<!--', '-->', () => '');
  text = withoutElements(text, ['ref', 'gallery', 'imagemap', 'timeline', 'references', 'score', 'templatestyles', 'syntaxhighlight']);
  text = text.replace(/<math(?:\s[^<>]*)?>([^<]*)<\/math>/gi, (_, formula: string) => `$${formula.trim().replaceAll('{{', '{ {').replaceAll('}}', '} }')}$`);
  text = nested(text, '-{', '}-', variant);
  text = nested(text, '{{', '}}', template);
  text = nested(text, '{|', '|}', () => '');
  text = nested(text, '[[', ']]', link);
  text = text
    .replace(/\[(?:https?:)?\/\/[^\s\]]{1,2000} ?([^\]\n[]{0,500})\]/g, '$1')
    .replace(/'{2,5}/g, '')
    .replace(/__[A-Z]+__/g, '')
    .replace(/<br\s*\/?>/gi, '\n')
    .replace(/<\/?[a-z][^<>\n]{0,500}>/gi, '')
    .replace(/&(#?\w{1,10});/g, entity)
    // What templates leave behind: brackets with nothing in them.
    .replace(/ ?[(（][\s,;:、，；：]*[)）]/g, '');
  const lines = text.split('\n').map((line) => oneLine(line.trimEnd(), markdown)).filter((line) => line !== undefined);
  return withoutEmptySections(lines).join('\n').replace(/\n{3,}/g, '\n\n').trim();
}

function oneLine(line: string, markdown: boolean): string | undefined {
  const heading = /^(={1,6})\s*([^=].*?)\s*\1$/.exec(line);
  if (heading !== null) return `\n${markdown ? `${'#'.repeat(heading[1]!.length)} ` : '\u0001'}${heading[2]}\n`;
  const list = /^([*#:;]+)\s*(.*)$/.exec(line);
  if (list === null) return line;
  if (list[2] === '') return undefined;
  const depth = list[1]!.length - 1;
  return markdown && /[*#]/.test(list[1]!) ? `${'  '.repeat(depth)}- ${list[2]}` : list[2];
}

/** Headings under which nothing was left (see also, notes) go; a heading above deeper ones stays. */
function withoutEmptySections(lines: readonly string[]): string[] {
  const isHeading = (line: string): boolean => line.startsWith('\n\u0001') || /^\n#{1,6} /.test(line), kept: string[] = [];
  let hasText = false;
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i]!;
    if (!isHeading(line)) {
      hasText ||= line.trim() !== '';
      kept.push(line);
    } else if (hasText) {
      kept.push(line.replace('\u0001', ''));
      hasText = line.startsWith('\n## ') ? false : hasText;
    }
  }
  return kept.reverse();
}
