// The lines of a PDF's page to paragraphs. Layer: data (pure).
// A PDF has placed strings and no paragraphs: a new one begins after a gap, after a change of size, or after a line that
// ends a sentence well before the margin. Words cut by a hyphen at a line's end are joined.

/** A string as PDF.js places it; the origin is the lower left corner. */
export type PdfItem = { readonly str: string; readonly x: number; readonly y: number; readonly width: number; readonly fontSize: number; readonly hasEOL: boolean };

type Line = { text: string; x: number; end: number; y: number; size: number };

/** Distance of lines, in sizes of their type, beyond which a paragraph ends: set text has 1.0 to 1.5. */
const GAP = 1.8;

/** The text of a page, its paragraphs apart by an empty line. */
export function pageText(items: readonly PdfItem[]): string {
  const lines = linesOf(items), margin = Math.max(0, ...lines.map(({ end }) => end)), paragraphs: string[] = [];
  let paragraph = '', last: Line | undefined;
  for (const line of lines) {
    const isNew = last === undefined || Math.abs(last.y - line.y) > GAP * Math.max(last.size, line.size) || line.y > last.y + last.size || Math.abs(last.size - line.size) > 0.2 * last.size ||
      (last.end < margin - 4 * last.size && /[.!?:。！？：”"』」]$/.test(last.text));
    if (isNew && paragraph !== '') paragraphs.push(paragraph);
    paragraph = isNew ? line.text : joined(paragraph, line.text);
    last = line;
  }
  if (paragraph !== '') paragraphs.push(paragraph);
  return paragraphs.join('\n\n');
}

function linesOf(items: readonly PdfItem[]): Line[] {
  const lines: Line[] = [];
  let line: Line | undefined;
  for (const { str, x, y, width, fontSize, hasEOL } of items) {
    if (line === undefined) line = { text: '', x, end: x, y, size: 0 };
    // Strings of one line that stand apart without a space between them are words or columns.
    if (line.text !== '' && x - line.end > 0.25 * fontSize && !/\s$/.test(line.text) && !/^\s/.test(str)) line.text += ' ';
    line.text += str;
    line.end = Math.max(line.end, x + width);
    line.size = Math.max(line.size, fontSize);
    if (!hasEOL) continue;
    lines.push(line);
    line = undefined;
  }
  if (line !== undefined) lines.push(line);
  return lines.map((line) => ({ ...line, text: line.text.replace(/\s+/g, ' ').trim() })).filter(({ text }) => text !== '');
}

const CJK = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]/;

function joined(before: string, next: string): string {
  if (/\p{Ll}[-\u00ad\u2010]$/u.test(before) && /^\p{Ll}/u.test(next)) return before.slice(0, -1) + next;
  return CJK.test(before.at(-1) ?? '') && CJK.test(next[0] ?? '') ? before + next : `${before} ${next}`;
}
