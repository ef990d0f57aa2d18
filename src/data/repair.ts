// Repairs decoded text: line ends, control characters, marks, and UTF-8 that was decoded as Windows-1252. Layer: data (pure).

/** What was repaired, counted over files or documents. */
export type RepairCounts = { carriageReturns: number; controls: number; mojibake: number };

// The point of this expression is to find controls: all but tab and newline, DEL, byte-order marks inside, noncharacters.
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff]/g;

/** Windows-1252 differs from latin1 in 0x80 … 0x9f; undefined places stay as they are (WHATWG Encoding, index-windows-1252). */
const WINDOWS_1252 = '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Cheap sign of double encoding: a UTF-8 lead byte read as a letter, then a continuation byte read as something. */
const MOJIBAKE_SIGN = /[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]/;
/** One such pair also occurs in honest text (`É»`): a document must give so many characters, and nearly all runs must agree. */
const MIN_CHARACTERS = 3;
const MIN_AGREEMENT = 0.9;

/**
 * Makes text uniform: `\n` line ends, no control characters but tab, double encoding undone.
 *
 * @param counts is added to
 */
export function repairText(text: string, counts: RepairCounts): string {
  if (text.includes('\r')) {
    counts.carriageReturns++;
    text = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  }
  if (text.search(CONTROLS) >= 0) {
    counts.controls++;
    text = text.replace(CONTROLS, '');
  }
  const undone = MOJIBAKE_SIGN.test(text) ? undoDoubleEncoding(text) : undefined;
  if (undone === undefined) return text;
  counts.mojibake++;
  return undone;
}

/**
 * Undoes UTF-8 that was decoded as Windows-1252 and encoded again (`cafÃ©`, `ä¸­æ–‡`).
 *
 * @returns undefined unless nearly all runs of non-ASCII characters are such bytes: then the text is left alone
 */
export function undoDoubleEncoding(text: string): string | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let runs = 0, agreed = 0, characters = 0;
  const undone = text.replace(/[^\0-\x7f]+/g, (run) => {
    runs++;
    const bytes = toWindows1252(run);
    if (bytes === undefined) return run;
    try {
      const decoded = decoder.decode(bytes);
      agreed++;
      characters += decoded.length;
      return decoded;
    } catch {
      return run;
    }
  });
  return characters >= MIN_CHARACTERS && agreed >= MIN_AGREEMENT * runs ? undone : undefined;
}

function toWindows1252(run: string): Uint8Array | undefined {
  const bytes = new Uint8Array(run.length);
  for (let i = 0; i < run.length; i++) {
    const code = run.charCodeAt(i), special = code < 0x80 || (code >= 0xa0 && code < 0x100) ? -1 : WINDOWS_1252.indexOf(run[i]!);
    if (code > 0xff && special < 0) return undefined;
    bytes[i] = special < 0 ? code : 0x80 + special;
  }
  return bytes;
}
