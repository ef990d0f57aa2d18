// Bytes of a page to text, by the order of the WHATWG Encoding and HTML standards: byte order mark, the transport's charset,
// a `<meta>` in the first 1024 bytes, else a guess. Layer: data.

import { isUtf8 } from 'node:buffer';
import { detectEncoding, SAMPLE_BYTES } from '../encoding.ts';

/** How many bytes are searched for a declaration (HTML standard, section 13.2.3.2). */
const PRESCAN_BYTES = 1024;
/** Real pages have comments and scripts first; a declaration further on is taken where the standard's bytes have none. */
const LATE_PRESCAN_BYTES = 2 ** 14;

export type DecodedPage = {
  html: string;
  /** A label of the Encoding Standard, lower case. */
  encoding: string;
  /** What told it. */
  by: 'mark' | 'header' | 'meta' | 'content';
};

/**
 * Decodes a page. Bytes that its encoding lacks become U+FFFD. A declaration that the bytes refute is overruled: UTF-8 with
 * characters beyond ASCII is hardly ever valid by chance, and pages that are UTF-8 and say otherwise are common.
 *
 * @param contentType the HTTP header's value, such as `text/html; charset=gbk`
 * @see https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding
 */
export function decodePage(bytes: Uint8Array, contentType?: string): DecodedPage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mark = byMark(buffer);
  if (mark !== undefined) return decode(buffer, mark, 'mark');
  const header = canonical(/charset\s*=\s*["']?([^\s;"']+)/i.exec(contentType ?? '')?.[1]);
  const declared = header ?? byMeta(buffer);
  if (declared !== undefined) {
    const by = header === undefined ? 'meta' : 'header';
    if (declared !== 'utf-8' && isUtf8(buffer) && buffer.some((byte) => byte >= 0x80)) return decode(buffer, 'utf-8', 'content');
    if (declared === 'utf-8' && !isUtf8(buffer)) {
      const guessed = guess(buffer);
      return guessed === 'utf-8' ? decode(buffer, declared, by) : decode(buffer, guessed, 'content');
    }
    return decode(buffer, declared, by);
  }
  return decode(buffer, isUtf8(buffer) ? 'utf-8' : guess(buffer), 'content');
}

function byMark([a, b, c]: Buffer): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
}

/** A label's encoding; undefined for unknown ones and those that no page may be decoded by. */
function canonical(label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  try {
    const { encoding } = new TextDecoder(label.trim());
    return encoding;
  } catch {
    return undefined;
  }
}

function byMeta(buffer: Buffer): string | undefined {
  for (const length of [PRESCAN_BYTES, LATE_PRESCAN_BYTES]) {
    const head = buffer.toString('latin1', 0, length);
    for (const [tag] of head.matchAll(/<meta\b[^>]{0,1000}>|<\?xml\b[^>]{0,200}\?>/gi)) {
      const label = /(?:charset|encoding)\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(tag)?.[1], found = canonical(label);
      // A page whose declaration could be read as ASCII is not UTF-16 (the standard says so).
      if (found !== undefined) return found.startsWith('utf-16') ? 'utf-8' : found;
    }
  }
  return undefined;
}

/** By the characters beyond ASCII: markup at the beginning tells little. */
function guess(buffer: Buffer): string {
  const name = detectEncoding(aroundText(buffer));
  return name === 'binary' || name === 'ascii' ? 'windows-1252' : name;
}

function aroundText(buffer: Buffer): Buffer {
  const first = buffer.findIndex((byte) => byte >= 0x80 || byte === 0);
  const from = first < 0 ? 0 : Math.max(0, first - 256) & ~1; // even: UTF-16 stays in step
  return buffer.subarray(from, from + SAMPLE_BYTES);
}

function decode(buffer: Buffer, encoding: string, by: DecodedPage['by']): DecodedPage {
  if (encoding === 'utf-8') {
    const start = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0;
    return { html: buffer.toString('utf8', start), encoding, by };
  }
  const decoder = new TextDecoder(encoding);
  // In streaming mode: some Node 20 and 22 releases decode windows-1252 as latin1 outside of it.
  return { html: decoder.decode(buffer, { stream: true }) + decoder.decode(), encoding, by };
}
