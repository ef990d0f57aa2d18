// Tables: those that hold data become tables, those that only arrange a page do not. Layer: data.

import type { Element } from './page-tree.ts';
import { inlineOf, tidyLine, type RenderOptions } from './render-inline.ts';

/** A cell longer than this is a part of a page. */
const MAX_CELL = 1000;
const PARTS = new Set('thead tbody tfoot'.split(' '));
const BLOCKS_OF_LAYOUT = new Set('table h1 h2 h3 h4 section article blockquote'.split(' '));

/** @returns the table, '' for an empty one, or undefined if it only arranges what is in it */
export function tableOf(table: Element, options: RenderOptions): string | undefined {
  const rows = rowsOf(table);
  if (rows.length === 0) return undefined;
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
  if (width < 2 || (rows.length < 2 && !rows[0]!.every((cell) => cell.tag === 'th'))) return undefined;
  if (rows.some((row) => row.some((cell) => isLayout(cell, 0)))) return undefined;
  const lines = rows.map((row) => row.map((cell) => textOfCell(cell, options)));
  if (lines.some((line) => line.some((cell) => cell.length > MAX_CELL))) return undefined;
  const full = lines.filter((line) => line.some((cell) => cell !== ''));
  if (full.length === 0) return '';
  const caption = table.children.find((child): child is Element => typeof child !== 'string' && child.tag === 'caption');
  const title = caption === undefined ? '' : `${tidyLine(inlineOf(caption.children, options))}\n\n`;
  if (!options.markdown) return title.trimStart() + full.map((line) => line.join(' | ')).join('\n');
  const row = (cells: readonly string[]): string => `| ${Array.from({ length: width }, (_, i) => cells[i] ?? '').join(' | ')} |`;
  const [head, ...body] = full as [string[], ...string[][]];
  return title.trimStart() + [row(head), `| ${Array.from({ length: width }, () => '---').join(' | ')} |`, ...body.map(row)].join('\n');
}

/** Cells of each row, a cell that spans columns followed by empty ones. */
function rowsOf(table: Element): Element[][] {
  const rows: Element[][] = [];
  const read = (element: Element): void => {
    for (const child of element.children) {
      if (typeof child === 'string') continue;
      if (PARTS.has(child.tag)) read(child);
      else if (child.tag === 'tr') {
        const cells: Element[] = [];
        for (const cell of child.children) {
          if (typeof cell === 'string' || (cell.tag !== 'td' && cell.tag !== 'th')) continue;
          cells.push(cell);
          const span = Math.min(50, Number.parseInt(cell.attributes['colspan'] ?? '1', 10) || 1);
          for (let i = 1; i < span && cells.length < 1000; i++) cells.push({ tag: cell.tag, attributes: {}, parent: child, children: [] });
        }
        if (cells.length > 0) rows.push(cells);
      }
    }
  };
  read(table);
  return rows;
}

function isLayout(cell: Element, depth: number): boolean {
  return cell.children.some((child) => typeof child !== 'string' && (BLOCKS_OF_LAYOUT.has(child.tag) || (child.tag === 'p' && depth === 0 && paragraphs(cell) > 3) || isLayout(child, depth + 1)));
}

const paragraphs = (cell: Element): number => cell.children.filter((child) => typeof child !== 'string' && child.tag === 'p').length;

function textOfCell(cell: Element, options: RenderOptions): string {
  const parts: string[] = [];
  const read = (element: Element): void => {
    let inline: (Element | string)[] = [];
    const flush = (): void => {
      const line = tidyLine(inlineOf(inline, options)).replace(/\s*\n\s*/g, ' ');
      if (line !== '') parts.push(line);
      inline = [];
    };
    for (const child of element.children) {
      if (typeof child !== 'string' && /^(?:p|div|ul|ol|li|dl|dt|dd|pre|center)$/.test(child.tag)) {
        flush();
        read(child);
      } else inline.push(child);
    }
    flush();
  };
  read(cell);
  const text = parts.join(' ');
  return options.markdown ? text.replaceAll('|', '\\|') : text;
}
