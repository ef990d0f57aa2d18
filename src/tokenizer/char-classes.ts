// Character classes: which code points are letters, numbers, white space. Layer: tokenizer (pure).
// Built from JavaScript's own Unicode tables through its regular expressions, so that the hand-written scanners and
// the reference patterns cannot disagree. A new character of a later Unicode version counts as OTHER until the
// runtime knows it; another library with a newer table may then split it differently.

/** Neither letter, number nor white space: punctuation, symbols, marks, controls, unassigned. */
export const OTHER = 0;
/** \p{L} */
export const LETTER = 1;
/** \p{N} */
export const NUMBER = 2;
/** \p{White_Space} other than carriage return and line feed. U+FEFF is none (JavaScript's \s says it is), U+0085 is one. */
export const SPACE = 3;
/** Carriage return or line feed. */
export const NEWLINE = 4;

const PLANE = 0x10000;
const CODE_POINTS = 0x110000;

/** The characters from..to-1 as one string; all of one UTF-16 length. */
export function allCharacters(from: number, to: number): string {
  const units = new Uint16Array((to - from) * (from < PLANE ? 1 : 2));
  for (let c = from, i = 0; c < to; c++) {
    if (c < PLANE) units[i++] = c;
    else {
      units[i++] = 0xd7c0 + (c >>> 10); // high surrogate: 0xd800 + ((c - 0x10000) >> 10)
      units[i++] = 0xdc00 | (c & 0x3ff);
    }
  }
  let text = '';
  for (let i = 0; i < units.length; i += 8192) { // 8192 arguments a call: below every engine's limit
    text += String.fromCharCode.apply(null, units.subarray(i, i + 8192) as unknown as number[]);
  }
  return text;
}

/** Writes the classes of from..to-1 (all of one UTF-16 length) into `table`; about 5 ms a plane. */
function fill(table: Uint8Array, from: number, to: number): void {
  const units = from < PLANE ? 1 : 2;
  const text = allCharacters(from, to);
  for (const [pattern, kind] of [[/\p{L}+/gu, LETTER], [/\p{N}+/gu, NUMBER], [/\p{White_Space}+/gu, SPACE]] as const) {
    for (const match of text.matchAll(pattern)) {
      const start = from + match.index / units;
      table.fill(kind, start, start + match[0].length / units);
    }
  }
}

/** The class of every code point; a plane is computed when its first character is met. */
export class CharClasses {
  /** Classes of the Basic Multilingual Plane by code point, ready to be indexed in a loop. */
  readonly basic: Uint8Array;
  readonly #table = new Uint8Array(CODE_POINTS);
  readonly #ready = new Uint8Array(CODE_POINTS / PLANE);

  constructor() {
    fill(this.#table, 0, 0xd800);
    fill(this.#table, 0xe000, PLANE); // surrogates between the two are no characters
    this.#table[0x0a] = NEWLINE;
    this.#table[0x0d] = NEWLINE;
    this.#ready[0] = 1;
    this.basic = this.#table.subarray(0, PLANE);
  }

  /** The class of any code point. */
  of(codePoint: number): number {
    const plane = codePoint >>> 16;
    if (this.#ready[plane] === 0) {
      fill(this.#table, plane * PLANE, (plane + 1) * PLANE);
      this.#ready[plane] = 1;
    }
    return this.#table[codePoint]!;
  }
}

let shared: CharClasses | undefined; // a memo of a constant: filled on first use, never different afterwards

/** The table, built on first use (about 10 ms) and shared. */
export function charClasses(): CharClasses {
  return (shared ??= new CharClasses());
}
