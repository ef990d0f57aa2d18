// Bytes to text: which encoding a file has, and its text in pieces. Layer: data.
// UTF-8 is proved, not guessed; UTF-16 is recognised by its mark or its shape; the rest is chardet's guess, checked by
// decoding. A file is decoded piece by piece, and while all its bytes are ASCII the question stays open.

import { isAscii, isUtf8 } from 'node:buffer';
import { analyse } from 'chardet';

/** `binary` is not text. Other names are labels of the WHATWG Encoding Standard. */
export type EncodingName = 'binary' | 'ascii' | 'utf-8' | 'utf-16le' | 'utf-16be' | (string & {});

/** How many bytes decide whether a file is text, and which encoding it has. */
export const SAMPLE_BYTES = 2 ** 16;
/** chardet takes about a millisecond a kilobyte before it is warm, and its confidence settles well before this. */
const GUESS_BYTES = 2 ** 13;
/** Text has stray control characters now and then; 1 in 100 is far above any text and far below any binary file. */
const MAX_CONTROL_FRACTION = 0.01;
/** Decoders that chardet's names are mapped to; anything else it says is not trusted. */
const GUESSES: Record<string, string> = {
  GB18030: 'gb18030',
  Big5: 'big5',
  Shift_JIS: 'shift_jis',
  'EUC-JP': 'euc-jp',
  'EUC-KR': 'euc-kr',
  'ISO-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
  'ISO-8859-2': 'iso-8859-2',
  'windows-1250': 'windows-1250',
  'KOI8-R': 'koi8-r',
  'windows-1251': 'windows-1251',
  'ISO-8859-5': 'iso-8859-5',
  'ISO-8859-7': 'iso-8859-7',
  'windows-1253': 'windows-1253',
  'ISO-8859-9': 'windows-1254',
  'windows-1254': 'windows-1254',
  'windows-1255': 'windows-1255',
  'ISO-8859-8': 'iso-8859-8',
  'windows-1256': 'windows-1256',
  'ISO-8859-6': 'iso-8859-6',
};
const CJK = new Set(['gb18030', 'big5', 'shift_jis', 'euc-jp', 'euc-kr']);

/**
 * Names the encoding of a sample.
 *
 * @param sample the beginning of a file, or its first part that is not ASCII
 */
export function detectEncoding(sample: Buffer): EncodingName {
  const marked = byMark(sample);
  if (marked !== undefined) return marked;
  if (!sample.includes(0)) {
    if (controlFraction(sample) > MAX_CONTROL_FRACTION) return 'binary';
    if (isAscii(sample)) return 'ascii';
    if (isUtf8(sample.subarray(0, wholeUtf8(sample)))) return 'utf-8';
  }
  const wide = looksUtf16(sample);
  if (wide !== undefined) return wide;
  if (controlFraction(sample) > MAX_CONTROL_FRACTION) return 'binary';
  return isAscii(sample) ? 'ascii' : guess(sample);
}

function byMark(sample: Buffer): EncodingName | undefined {
  const [a, b, c, d] = sample;
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 && sample.length >= 4 ? 'binary' : 'utf-16le'; // UTF-32 has no decoder
  return a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
}

/** Share of bytes that text does not contain: controls but tab, newlines, form feed, backspace and escape. */
function controlFraction(sample: Buffer): number {
  let controls = 0;
  for (let i = 0; i < sample.length; i++) {
    const byte = sample[i]!;
    if ((byte < 32 && (byte < 8 || byte === 11 || byte > 13) && byte !== 27) || byte === 127) controls++;
  }
  return sample.length === 0 ? 0 : controls / sample.length;
}

/** Length of `bytes` without a UTF-8 sequence that its end cuts. */
export function wholeUtf8(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** UTF-16 without a mark: nearly all units are in the ranges of common scripts one way round, and not the other. */
function looksUtf16(sample: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  const units = Math.floor(sample.length / 2);
  if (units < 4) return undefined;
  const little = plausible(sample, units, 1), big = plausible(sample, units, 0);
  const best = Math.max(little, big);
  if (best < 0.97 || best - Math.min(little, big) < 0.2) return undefined;
  return little > big ? 'utf-16le' : 'utf-16be';
}

/** Share of 16-bit units that are common text; needs some ASCII or CJK punctuation, which all text of this length has. */
function plausible(sample: Buffer, units: number, high: 0 | 1): number {
  let good = 0, marks = 0;
  for (let i = 0; i < units; i++) {
    const unit = (sample[2 * i + high]! << 8) | sample[2 * i + 1 - high]!;
    const ascii = unit === 9 || unit === 10 || unit === 13 || (unit >= 32 && unit < 127);
    if (ascii || (unit >= 0x3000 && unit < 0x3003) || unit === 0xff0c) marks++;
    if (ascii || (unit >= 0xa0 && unit < 0x600) || (unit >= 0x2010 && unit < 0x2070) || (unit >= 0x3000 && unit < 0x3100) ||
      (unit >= 0x4e00 && unit < 0xa000) || (unit >= 0xac00 && unit < 0xd7a4) || (unit >= 0xff00 && unit < 0xfff0)) good++;
  }
  return marks / units > 0.01 ? good / units : 0;
}

/** Neither ASCII nor valid UTF-8: damaged UTF-8, or a legacy encoding. */
function guess(sample: Buffer): EncodingName {
  const { good, bad } = countUtf8(sample);
  // Legacy text hardly ever forms UTF-8 sequences by chance; one in ten may be damaged before another guess is tried.
  if (good > 0 && bad <= good / 10) return 'utf-8';
  const first = sample.findIndex((byte) => byte >= 0x80);
  const window = sample.subarray(Math.max(0, first - 64), Math.max(0, first - 64) + GUESS_BYTES);
  for (const { name, confidence } of analyse(window)) {
    const label = GUESSES[name];
    if (label === undefined || confidence < 20) continue;
    const text = new TextDecoder(label).decode(window, { stream: true });
    if (CJK.has(label) ? cjkIsSound(text) : lettersAreSound(text)) return label;
  }
  return 'utf-8';
}

/** Counts UTF-8 sequences of several bytes that are whole, and bytes that belong to none. */
function countUtf8(sample: Buffer): { good: number; bad: number } {
  let good = 0, bad = 0;
  for (let i = 0; i < sample.length;) {
    const byte = sample[i]!;
    if (byte < 0x80) {
      i++;
      continue;
    }
    const length = byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
    let j = 1;
    while (j < length && i + j < sample.length && (sample[i + j]! & 0xc0) === 0x80) j++;
    if (length > 0 && j === length && byte < 0xf5) good++;
    else if (i + j < sample.length) bad++;
    i += Math.max(1, j);
  }
  return { good, bad };
}

/** A wrong CJK decoding shows in replaced characters. */
function cjkIsSound(text: string): boolean {
  let replaced = 0, wide = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0xfffd) replaced++;
    else if (code >= 0x80) wide++;
  }
  return replaced <= wide / 50;
}

/** In a one-byte encoding, most characters beyond ASCII are letters that stand in words. */
function lettersAreSound(text: string): boolean {
  const beyond = text.match(/[^\0-\x7f]/gu)?.length ?? 0;
  const inWords = text.match(/(?<=[\p{L}])[^\0-\x7f\P{L}]|[^\0-\x7f\P{L}](?=[\p{L}])|[\u2018-\u201d\u2026\u2013\u2014\xa0\xab\xbb]/gu)?.length ?? 0;
  return inWords >= 0.7 * beyond;
}

/** What the decoder met and repaired. */
export type DecodeCounts = { invalidSequences: number; encoding: EncodingName };

/** Decodes a file chunk by chunk. `write` for each chunk in order, then `end` once. */
export class StreamDecoder {
  #encoding: EncodingName;
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #carry = Buffer.alloc(0);
  #invalid = 0;
  #started = false;

  /** @param encoding as detected on the beginning; `ascii` leaves the question open until other bytes come */
  constructor(encoding: EncodingName) {
    this.#encoding = encoding;
  }

  get counts(): DecodeCounts {
    return { invalidSequences: this.#invalid, encoding: this.#encoding };
  }

  write(chunk: Buffer): string {
    return this.#decode(chunk, true);
  }

  end(): string {
    return this.#decode(Buffer.alloc(0), false);
  }

  #decode(chunk: Buffer, more: boolean): string {
    if (this.#encoding === 'ascii' && this.#carry.length === 0) {
      if (isAscii(chunk)) return chunk.toString('latin1');
      this.#encoding = detectEncoding(textSample(chunk));
      if (this.#encoding === 'ascii' || this.#encoding === 'binary') this.#encoding = 'utf-8';
    }
    if (this.#encoding === 'utf-8') return this.#decodeUtf8(chunk, more);
    // Always in streaming mode: some Node 20 and 22 releases decode windows-1252 as latin1 outside of it.
    this.#decoder ??= new TextDecoder(this.#encoding);
    const text = this.#decoder.decode(chunk, { stream: more });
    this.#invalid += count(text, '\ufffd');
    return text;
  }

  #decodeUtf8(chunk: Buffer, more: boolean): string {
    const joined = this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]);
    const end = more ? wholeUtf8(joined) : joined.length;
    this.#carry = Buffer.from(joined.subarray(end));
    const start = !this.#started && joined[0] === 0xef && joined[1] === 0xbb && joined[2] === 0xbf ? 3 : 0;
    if (end > 0) this.#started = true;
    const bytes = joined.subarray(Math.min(start, end), end), text = bytes.toString('utf8');
    if (!isUtf8(bytes)) this.#invalid += count(text, '\ufffd') - countReplacementBytes(bytes);
    return text;
  }
}

/** The part of a chunk around its first byte that is not ASCII. */
function textSample(chunk: Buffer): Buffer {
  let first = 0;
  while (first < chunk.length && chunk[first]! < 0x80) first++;
  const from = Math.max(0, first - 1024);
  return chunk.subarray(from, from + SAMPLE_BYTES);
}

function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}

/** U+FFFD that the file really contains. */
function countReplacementBytes(bytes: Buffer): number {
  const mark = Buffer.from('\ufffd');
  let found = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 3)) found++;
  return found;
}
