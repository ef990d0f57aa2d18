// Bar charts as SVG, in colours of the page. Layer: data (pure).

import { compact } from '../../base/progress.ts';

/** Text that is safe between tags and in attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** A row of a chart: one value, or two to compare. */
export type Bar = { readonly name: string; readonly values: readonly number[] };

const ROW = 18, LABEL = 190, WIDTH = 380, VALUE = 80;

/** Horizontal bars; several values of a row stand below each other in the colours of their classes, `s0`, `s1`. */
export function barChart(bars: readonly Bar[], title: string): string {
  const most = Math.max(1e-9, ...bars.flatMap(({ values }) => values)), rows: string[] = [];
  let y = 0;
  for (const { name, values } of bars) {
    rows.push(`<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end" class="label">${escapeHtml(name.length > 28 ? `${name.slice(0, 27)}…` : name)}<title>${escapeHtml(name)}</title></text>`);
    for (const [i, value] of values.entries()) {
      const width = Math.max(value > 0 ? 1 : 0, (value / most) * WIDTH);
      rows.push(`<rect x="${LABEL}" y="${y + 2}" width="${width.toFixed(1)}" height="${ROW - 5}" class="s${i}"/><text x="${(LABEL + width + 5).toFixed(1)}" y="${y + 13}" class="value">${compact(value)}</text>`);
      y += ROW;
    }
    y += 4;
  }
  return `<svg viewBox="0 0 ${LABEL + WIDTH + VALUE} ${Math.max(1, y)}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}</svg>`;
}

const COLUMN = 26, HEIGHT = 140;

/** Columns side by side for a histogram, two series. */
export function columnChart(columns: readonly Bar[], title: string): string {
  const most = Math.max(1, ...columns.flatMap(({ values }) => values)), parts: string[] = [];
  for (const [i, { name, values }] of columns.entries()) {
    for (const [k, value] of values.entries()) {
      const height = (value / most) * HEIGHT;
      parts.push(`<rect x="${i * COLUMN + 3 + k * 10}" y="${(HEIGHT - height).toFixed(1)}" width="9" height="${height.toFixed(1)}" class="s${k}"><title>${escapeHtml(name)}: ${value}</title></rect>`);
    }
    parts.push(`<text x="${i * COLUMN + 12}" y="${HEIGHT + 14}" text-anchor="middle" class="tick">${escapeHtml(name)}</text>`);
  }
  return `<svg viewBox="0 0 ${Math.max(1, columns.length * COLUMN)} ${HEIGHT + 20}" style="max-width:${columns.length * COLUMN}px" role="img" aria-label="${escapeHtml(title)}">${parts.join('')}</svg>`;
}
