// Plain text in any common encoding, Markdown and source code: taken as it is. Layer: data.

import { decodedText, inPieces, repaired } from '../decode.ts';
import type { Reader } from '../reader.ts';

export const text: Reader = {
  name: 'text',
  about: 'plain text in any common encoding, Markdown, source code',
  endings: ['txt', 'text', 'md', 'markdown', 'rst', 'tex', 'org', 'adoc', 'log', 'json', 'xml', 'yaml', 'yml'],
  types: ['text/plain', 'text/markdown', 'application/json', 'text/css', 'text/javascript', 'application/javascript'],
  async *read(content, context) {
    let part = 0, held: string | undefined;
    for await (const piece of inPieces(decodedText(content, context), context.options.pieceChars)) {
      if (held !== undefined) yield { file: content.file, part: part++, text: repaired(held, context) };
      held = piece;
    }
    // Only the last piece knows the hash, and whether it is the only one.
    if (held !== undefined) yield { file: content.file, part: part === 0 ? undefined : part, text: repaired(held, context), sha256: content.sha256 };
  },
};
