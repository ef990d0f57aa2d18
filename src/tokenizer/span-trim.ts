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

/**
 * Takes white space at the ends of tokens out of their spans.
 *
 * @param tokenOf a token as it stands in the vocabulary; nothing for one that was added, whose text counts
 */
export function trimSpans({ addPrefixSpace }: SpanTrim, text: string, ids: IdBuffer, spans: IdBuffer, tokenOf: (id: number) => string | undefined): void {
  for (let i = 0; i < ids.length; i++) {
    const from = spans.data[2 * i]!, to = spans.data[2 * i + 1]!, token = tokenOf(ids.data[i]!) ?? text.slice(from, to);
    let leading = 0, trailing = 0;
    while (leading < token.length && isBlank(token.charCodeAt(leading))) leading++;
    while (trailing < token.length && isBlank(token.charCodeAt(token.length - 1 - trailing))) trailing++;
    if (leading > 0 && addPrefixSpace && (i === 0 || from === 0)) leading--;
    let start = from, end = to;
    for (let n = 0; n < leading && start < to; n++) start += text.codePointAt(start)! > 0xffff ? 2 : 1;
    for (let n = 0; n < trailing && end > start; n++) end -= (text.charCodeAt(end - 1) & 0xfc00) === 0xdc00 ? 2 : 1;
    spans.data[2 * i] = start;
    spans.data[2 * i + 1] = end;
  }
}
