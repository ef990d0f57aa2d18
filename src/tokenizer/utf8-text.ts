// A stretch of text as UTF-8 in a reusable buffer, and where a long text may be cut. Layer: tokenizer (pure).
// Scanning bytes is several times as fast as scanning a JavaScript string, and BPE works on bytes anyway.

import { charClasses, LETTER } from './char-classes.ts';

/** Room behind the text, so that four bytes can be read at once anywhere in it. */
export const PADDING = 4;

/** UTF-16 units encoded at a time: at most 96 KiB of UTF-8, which stays in a second-level cache. */
const CHUNK_UNITS = 32 * 1024;

/** A growing buffer of UTF-8. Lone surrogates become U+FFFD, as TextEncoder does it. */
export class Utf8Text {
  bytes = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  length = 0;
  readonly #encoder = new TextEncoder();

  /** Makes room for `length` bytes; the content is lost. */
  reserve(length: number): void {
    if (this.bytes.length >= length + PADDING) return;
    this.bytes = new Uint8Array(length + PADDING);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Gives a giant's memory back. */
  shrink(): void {
    if (this.bytes.length <= 1 << 20) return;
    this.bytes = new Uint8Array(0);
    this.view = new DataView(this.bytes.buffer);
    this.length = 0;
  }

  /** Replaces the content by text[from..to). */
  load(text: string, from: number, to: number): void {
    this.reserve((to - from) * 3); // a UTF-16 unit is at most three bytes
    const part = from === 0 && to === text.length ? text : text.slice(from, to);
    this.length = this.#encoder.encodeInto(part, this.bytes).written;
  }
}

/**
 * The first place at or after `from` where every supported pattern splits whatever stands around it: after a letter and
 * before a character that is none. A run of letters ends its piece, and no rule looks back over it.
 *
 * @returns an index into `text`; its length when there is no such place
 */
export function safeCut(text: string, from: number): number {
  const { basic } = charClasses();
  for (let i = Math.max(1, from); i < text.length; i++) {
    const after = text.charCodeAt(i);
    if (basic[after] === LETTER || (after & 0xf800) === 0xd800) continue; // a surrogate may be half a letter
    if (basic[text.charCodeAt(i - 1)] === LETTER) return i;
  }
  return text.length;
}

/** Where the chunk that starts at `from` ends, so that chunks are scanned as if the text were whole. */
export function chunkEnd(text: string, from: number): number {
  return text.length - from <= CHUNK_UNITS ? text.length : safeCut(text, from + CHUNK_UNITS);
}

/** The code point that starts at `bytes[i]`; the bytes must be well-formed UTF-8. */
export function codePointAt(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  if (lead < 0x80) return lead;
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | (bytes[i + 1]! & 0x3f);
  if (lead < 0xf0) return ((lead & 0x0f) << 12) | ((bytes[i + 1]! & 0x3f) << 6) | (bytes[i + 2]! & 0x3f);
  return ((lead & 0x07) << 18) | ((bytes[i + 1]! & 0x3f) << 12) | ((bytes[i + 2]! & 0x3f) << 6) | (bytes[i + 3]! & 0x3f);
}

/** The length in bytes of the character whose first byte is `lead`. */
export function utf8Size(lead: number): number {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}
