// Offsets without white space: what `trim_offsets` in a tokenizer.json asks for. Layer: tokenizer (pure).
// Source: github.com/huggingface/tokenizers 0.23, process_offsets in tokenizers/src/pre_tokenizers/byte_level.rs.

import type { IdBuffer } from './id-buffer.ts';
import { isSpace } from './normalizers.ts';

/** How offsets are trimmed. */
export interface SpanTrim {
  /** The first token's blank may be one that was put there: it takes no room. */
  readonly addPrefixSpace: boolean;
}

/** A blank in byte-level spelling. */
const SPELLED_BLANK = 0x120;

const isBlank = (unit: number): boolean => unit === SPELLED_BLANK || isSpace(unit);

/** Takes white space at the ends of tokens out of their spans. White space is always one unit. */
export function trimSpans({ addPrefixSpace }: SpanTrim, ids: IdBuffer, spans: IdBuffer, tokenOf: (id: number) => string): void {
  for (let i = 0; i < ids.length; i++) {
    const token = tokenOf(ids.data[i]!);
    let leading = 0, trailing = 0;
    while (leading < token.length && isBlank(token.charCodeAt(leading))) leading++;
    while (trailing < token.length && isBlank(token.charCodeAt(token.length - 1 - trailing))) trailing++;
    const from = spans.data[2 * i]!, to = spans.data[2 * i + 1]!;
    if (leading > 0 && addPrefixSpace && (i === 0 || from === 0)) leading--;
    const start = Math.min(from + leading, to);
    spans.data[2 * i] = start;
    if (to >= trailing) spans.data[2 * i + 1] = Math.max(to - trailing, start);
  }
}
