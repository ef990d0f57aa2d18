// Mathematics of a page as TeX: what its maker wrote where it is kept (annotation, alttext, MathJax scripts, data attributes),
// else a plain reading of MathML. Layer: data.

import type { Element } from './page-tree.ts';
import { textOf } from './clean-main.ts';

export type Formula = { tex: string; display: boolean };

/** @returns the formula that an element is, '' tex for parts that only draw one, or undefined if it is no mathematics */
export function formulaOf(element: Element): Formula | undefined {
  const { tag, attributes } = element, name = attributes['class'] ?? '';
  if (tag === 'math') return ofMathMl(element, false);
  if (tag === 'script') return { tex: textOfScript(element), display: /mode\s*=\s*display/i.test(attributes['type'] ?? '') };
  const written = attributes['data-latex'] ?? attributes['data-tex'] ?? attributes['data-math'];
  if (written !== undefined && written.trim() !== '' && (tag !== 'img' || /math|latex|tex/i.test(name))) return { tex: written.trim(), display: attributes['display'] === 'true' || /display|block/i.test(name) || tag === 'div' };
  if (name === '' && tag !== 'mjx-container') return undefined;
  if (tag === 'img') return /mwe-math-fallback/.test(name) ? { tex: '', display: false } : /\b(?:tex|latex|math)\b/i.test(name) && attributes['alt'] ? { tex: strip(attributes['alt']), display: false } : undefined;
  if (/(?:^|\s)katex-html|MathJax_Preview|(?:^|\s)MathJax(?:_SVG|_CHTML|_Display)?(?:\s|$)|mjx-/.test(name) || tag === 'mjx-container') {
    const math = find(element, 'math');
    return math === undefined ? { tex: '', display: false } : ofMathMl(math, /display/i.test(name) || attributes['display'] === 'true');
  }
  if (/(?:^|\s)katex(?:-display)?(?:\s|$)/.test(name)) {
    const math = find(element, 'math');
    if (math !== undefined) return ofMathMl(math, /katex-display/.test(name));
  }
  return undefined;
}

const textOfScript = (element: Element): string => element.children.map((child) => (typeof child === 'string' ? child : '')).join('').trim();

function find(element: Element, tag: string): Element | undefined {
  for (const child of element.children) {
    if (typeof child === 'string') continue;
    if (child.tag === tag) return child;
    const found = find(child, tag);
    if (found !== undefined) return found;
  }
  return undefined;
}

function ofMathMl(math: Element, display: boolean): Formula {
  const annotation = find(math, 'annotation'), block = display || math.attributes['display'] === 'block';
  if (annotation !== undefined && /tex/i.test(annotation.attributes['encoding'] ?? '')) return { tex: strip(textOf(annotation)), display: block };
  const alt = math.attributes['alttext'];
  if (alt !== undefined && alt.trim() !== '') return { tex: strip(alt), display: block };
  return { tex: reading(math, 0).replace(/\s+/g, ' ').trim(), display: block };
}

/** Wikipedia wraps its annotations so. */
const strip = (tex: string): string => tex.trim().replace(/^\{\\(?:displaystyle|textstyle)\s*([\s\S]*)\}$/, '$1').replace(/^\$+|\$+$/g, '').trim();

const FENCES: Readonly<Record<string, (parts: readonly string[]) => string>> = {
  mfrac: ([a = '', b = '']) => `\\frac{${a}}{${b}}`,
  msup: ([a = '', b = '']) => `${a}^{${b}}`,
  msub: ([a = '', b = '']) => `${a}_{${b}}`,
  msubsup: ([a = '', b = '', c = '']) => `${a}_{${b}}^{${c}}`,
  munder: ([a = '', b = '']) => `${a}_{${b}}`,
  mover: ([a = '', b = '']) => `${a}^{${b}}`,
  munderover: ([a = '', b = '', c = '']) => `${a}_{${b}}^{${c}}`,
  msqrt: (parts) => `\\sqrt{${parts.join(' ')}}`,
  mroot: ([a = '', b = '']) => `\\sqrt[${b}]{${a}}`,
  mtr: (parts) => `${parts.join(' & ')} \\\\ `,
  mtable: (parts) => `\\begin{matrix} ${parts.join('').replace(/\\\\\s*$/, '')} \\end{matrix}`,
};
const WORDS: Readonly<Record<string, string>> = { '∑': '\\sum', '∫': '\\int', '∏': '\\prod', '∞': '\\infty', '≤': '\\le', '≥': '\\ge', '≠': '\\ne', '×': '\\times', '±': '\\pm', '→': '\\to', '∈': '\\in', '\u2061': '', '\u2062': '', '−': '-' };

function reading(element: Element, depth: number): string {
  if (depth > 64) return '';
  const parts: string[] = [];
  for (const child of element.children) {
    if (typeof child === 'string') {
      const text = child.trim();
      if (text !== '') parts.push(WORDS[text] ?? text);
    } else if (child.tag !== 'annotation' && child.tag !== 'annotation-xml') parts.push(reading(child, depth + 1));
  }
  const form = FENCES[element.tag];
  if (form !== undefined) return form(parts);
  return element.tag === 'mtext' ? `\\text{${parts.join(' ')}}` : parts.filter((part) => part !== '').join(' ');
}
