// Code blocks: their lines as they were, and the language that names tell. Layer: data.

import type { Element } from './page-tree.ts';

const LANGUAGE = /(?:^|\s)(?:language|lang|highlight-source|highlight|brush|sourceCode|src)[-:]\s*([a-z0-9+#_-]+)/iu;
/** Class names that look like languages and are themes or parts. */
const NO_LANGUAGE = new Set(['none', 'plaintext', 'text', 'wrapper', 'source', 'default', 'nohighlight', 'block', 'snippet', 'lines']);
const GUTTER = /(?:^|[\s_-])(?:lineno|linenos|line-?numbers?(?:-rows)?|linenumber|ln|gutter|hljs-ln-numbers|line-number|lnt|copy|copy-?btn)(?:\s|$)/i;

/** A fenced block in Markdown, the lines alone in text; '' without any. */
export function codeOf(pre: Element, markdown: boolean): string {
  const parts: string[] = [];
  collect(pre, parts);
  const code = parts.join('').replaceAll('\r\n', '\n').replaceAll('\u00a0', ' ').replace(/^(?:[ \t]*\n)+|\s+$/g, '').replace(/\n{3,}/g, '\n\n');
  if (code === '' || !markdown) return code;
  let longest = 2;
  for (const [ticks] of code.matchAll(/^`{3,}/gm)) longest = Math.max(longest, ticks.length);
  const fence = '`'.repeat(longest + 1);
  return `${fence}${languageOf(pre)}\n${code}\n${fence}`;
}

function collect(element: Element, parts: string[]): void {
  for (const child of element.children) {
    if (typeof child === 'string') parts.push(child);
    else if (child.tag === 'br') parts.push('\n');
    else if (!GUTTER.test(child.attributes['class'] ?? '') && child.tag !== 'button') {
      collect(child, parts);
      // Highlighters put each line in an element of its own.
      const isLine = child.tag === 'div' || child.tag === 'p' || child.tag === 'li' || child.tag === 'tr';
      if (isLine && parts.length > 0 && !parts.at(-1)!.endsWith('\n')) parts.push('\n');
    }
  }
}

/** Of the block itself, what is in it, or what is around it. */
function languageOf(pre: Element): string {
  const inner = pre.children.find((child): child is Element => typeof child !== 'string' && child.tag === 'code');
  for (const element of [inner, pre, pre.parent, pre.parent?.parent]) {
    if (element === undefined) continue;
    const { attributes } = element, named = attributes['data-lang'] ?? attributes['data-language'] ?? LANGUAGE.exec(attributes['class'] ?? '')?.[1];
    if (named !== undefined && !NO_LANGUAGE.has(named.toLowerCase()) && /^[a-z0-9+#_.-]{1,20}$/i.test(named)) return named.toLowerCase();
  }
  return '';
}
