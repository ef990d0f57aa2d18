// The edits `repeated-lines` and `repeated-paragraphs`: a line or paragraph stands once in a document. Layer: data (pure).
// What menus and page furniture leave in extracted text. Code is full of honest repetition (`}`), hence the least length.

import { z } from 'zod';
import { utf8Bytes, type Document } from '../document.ts';
import type { Edit, Edited } from '../stage.ts';

const lineOptions = z.strictObject({
  minLength: z.int().min(1).default(10).describe('characters, without white space around; shorter lines may repeat'),
});
const paragraphOptions = z.strictObject({
  minLength: z.int().min(1).default(30).describe('characters, without white space around; shorter paragraphs may repeat'),
});

/** Leaves out lines that stood before in the document, but for white space around them. */
export const repeatedLines: Edit<z.infer<typeof lineOptions>> = {
  name: 'repeated-lines',
  about: 'Leaves out lines that stood before in the document.',
  options: lineOptions,
  edit: ({ minLength }) => (document) => withoutRepeats(document, '\n', minLength, 'lines'),
};

/** Leaves out paragraphs (between empty lines) that stood before in the document. */
export const repeatedParagraphs: Edit<z.infer<typeof paragraphOptions>> = {
  name: 'repeated-paragraphs',
  about: 'Leaves out paragraphs that stood before in the document.',
  options: paragraphOptions,
  edit: ({ minLength }) => (document) => withoutRepeats(document, '\n\n', minLength, 'paragraphs'),
};

function withoutRepeats(document: Document, separator: string, minLength: number, what: string): Edited | undefined {
  const parts = document.text.split(separator), seen = new Set<string>();
  const kept = parts.filter((part) => {
    const bare = part.trim();
    return bare.length < minLength || seen.size !== seen.add(bare).size;
  });
  if (kept.length === parts.length) return undefined;
  const text = kept.join(separator);
  return { document: { ...document, text, bytes: utf8Bytes(text) }, detail: `${parts.length - kept.length} of ${parts.length} ${what} stood before` };
}
