// The main element as blocks of text or Markdown: paragraphs, headings, lists, tables, code, quotes, footnotes. Layer: data.

import { BLOCK_TAGS } from './measure-tree.ts';
import type { Element } from './page-tree.ts';
import { codeOf } from './render-code.ts';
import { inlineOf, tidyLine, type RenderOptions } from './render-inline.ts';
import { formulaOf } from './render-math.ts';
import { tableOf } from './render-table.ts';

/** Lists and quotes nested deeper are written at this depth: each level copies what is below once more. */
const MAX_NESTING = 12;

/** A paragraph of this length is not written twice on purpose; a refrain or a speaker's name is shorter. */
const MIN_REPEATED = 60;

/** The text of elements, one after the other, blocks apart by an empty line; '' if there is none. */
export function renderBlocks(elements: readonly Element[], options: RenderOptions): string {
  const writer = new BlockWriter(options);
  return elements.flatMap((element) => writer.blocksOf(element.children, 0)).join('\n\n');
}

class BlockWriter {
  readonly #options: RenderOptions;
  /** Whether an element has a block below: asked once each. */
  readonly #blocks = new Map<Element, boolean>();
  readonly #seen = new Set<string>();

  constructor(options: RenderOptions) {
    this.#options = options;
  }

  blocksOf(nodes: readonly (Element | string)[], nesting: number): string[] {
    const out: string[] = [];
    let inline: (Element | string)[] = [];
    const flush = (): void => {
      if (inline.length > 0) this.#paragraph(inline, out);
      inline = [];
    };
    for (const node of nodes) {
      if (typeof node === 'string' || !this.#isBlock(node)) inline.push(node);
      else {
        flush();
        this.#block(node, nesting, out);
      }
    }
    flush();
    return out;
  }

  #isBlock(element: Element): boolean {
    if (BLOCK_TAGS.has(element.tag)) return true;
    let known = this.#blocks.get(element);
    if (known === undefined) {
      known = formulaOf(element) === undefined && element.tag !== 'math' && element.children.some((child) => typeof child !== 'string' && this.#isBlock(child));
      this.#blocks.set(element, known);
    }
    return known;
  }

  /** Pages hold the same paragraph twice for narrow and wide screens, and slideshows their captions. */
  #isRepeated(line: string): boolean {
    if (line.length < MIN_REPEATED) return false;
    if (this.#seen.has(line)) return true;
    this.#seen.add(line);
    return false;
  }

  /** Two breaks or more part paragraphs, as in pages that know no `<p>`. */
  #paragraph(inline: readonly (Element | string)[], out: string[]): void {
    for (const part of tidyLine(inlineOf(inline, this.#options)).split(/\n\s*\n/)) {
      const line = part.trim();
      if (line !== '' && !this.#isRepeated(line)) out.push(this.#options.markdown ? line.replace(/^(#{1,6} |[-+>] |\d+[.)] )/u, '\\$1').replaceAll('\n', '  \n') : line);
    }
  }

  #block(element: Element, nesting: number, out: string[]): void {
    const { tag, children } = element, { markdown } = this.#options;
    const formula = formulaOf(element);
    if (formula !== undefined) {
      if (formula.tex !== '') out.push(`$$${formula.tex}$$`);
      return;
    }
    const label = element.attributes['id'] === undefined ? undefined : this.#options.notes.get(element.attributes['id']);
    if (label !== undefined) return this.#note(label, children, nesting, out);
    if (/^h[1-6]$/.test(tag)) {
      const line = tidyLine(inlineOf(children, this.#options)).replace(/\s*\n\s*/g, ' ').replace(/\s*(?:¶|#|🔗)$/u, '');
      if (line !== '') out.push(markdown ? `${'#'.repeat(Number(tag[1]))} ${line}` : line);
      return;
    }
    if (tag === 'ul' || tag === 'ol') return this.#list(element, nesting, out);
    if (tag === 'dl') return this.#terms(element, nesting, out);
    if (tag === 'pre') {
      const code = codeOf(element, markdown);
      if (code !== '') out.push(code);
      return;
    }
    if (tag === 'hr') {
      if (markdown) out.push('---');
      return;
    }
    if (tag === 'blockquote') {
      const quoted = this.blocksOf(children, nesting + 1).join('\n\n');
      if (quoted !== '') out.push(markdown && nesting < MAX_NESTING ? quoted.replace(/^/gm, '> ').replace(/^> $/gm, '>') : quoted);
      return;
    }
    if (tag === 'table') {
      const table = tableOf(element, this.#options);
      if (table !== undefined) {
        if (table !== '') out.push(table);
        return;
      }
    }
    for (const block of this.blocksOf(children, nesting)) out.push(block);
  }

  #note(label: string, children: readonly (Element | string)[], nesting: number, out: string[]): void {
    const text = this.blocksOf(children, nesting + 1).join('\n\n').replace(/^\s*(?:\\?\[?\^?\d{1,3}\\?\]?[.:)]?\s+)?/, '').replace(/\s*[↩↑⤴]\ufe0e?$/u, '');
    if (text !== '') out.push(this.#options.markdown ? `[^${label}]: ${text.replace(/\n(?=.)/g, '\n    ')}` : `[${label}] ${text}`);
  }

  #list(element: Element, nesting: number, out: string[]): void {
    const items: string[] = [], notes: string[] = [], ordered = element.tag === 'ol';
    let number = Number.parseInt(element.attributes['start'] ?? '1', 10) || 1;
    for (const child of element.children) {
      if (typeof child === 'string' || (child.tag !== 'li' && child.tag !== 'ul' && child.tag !== 'ol')) {
        const rest = this.blocksOf([child], nesting + 1);
        if (rest.length > 0) items.push(rest.join('\n\n'));
        continue;
      }
      const label = child.attributes['id'] === undefined ? undefined : this.#options.notes.get(child.attributes['id']);
      if (label !== undefined) {
        this.#note(label, child.children, nesting, notes);
        continue;
      }
      const mark = ordered && this.#options.markdown ? `${number}. ` : '- ', nested = child.tag !== 'li';
      const blocks = nested ? this.blocksOf([child], nesting + 1) : this.blocksOf(child.children, nesting + 1);
      if (blocks.length === 0) continue;
      number++;
      const loose = blocks.length > 2 || (blocks.length === 2 && !/^(?:- |\d+\. )/.test(blocks[1]!));
      items.push(nested ? indent(blocks.join('\n'), '  ', nesting) : mark + indent(blocks.join(loose ? '\n\n' : '\n'), ' '.repeat(mark.length), nesting).trimStart());
    }
    if (items.length > 0) out.push(items.join('\n'));
    out.push(...notes);
  }

  #terms(element: Element, nesting: number, out: string[]): void {
    const flat = element.children.flatMap((child) => (typeof child !== 'string' && child.tag === 'div' ? child.children : [child]));
    for (const child of flat) {
      const blocks = this.blocksOf(typeof child === 'string' ? [child] : child.children, nesting + 1);
      if (blocks.length === 0) continue;
      if (typeof child !== 'string' && child.tag === 'dt' && this.#options.markdown && !blocks[0]!.includes('**')) out.push(`**${blocks.join(' ')}**`);
      else out.push(...blocks);
    }
  }
}

function indent(text: string, by: string, nesting: number): string {
  return nesting >= MAX_NESTING ? text : text.replace(/^(?=.)/gm, by);
}
