// Words of a text for the published filters: where each begins and ends, and its hash, in one pass. Layer: data (pure).
// A word is a run of letters, marks and digits, joined by ' ’ - . _ inside; a run of other signs is a word of symbols; an
// ideograph or kana is a word of its own, since finding Chinese words (Intl.Segmenter) takes 100 times longer.

/**
 * Characters of a Chinese word on average (about 1.6 in running text; assumed, as in most counts of the written language).
 * Thresholds in words are multiplied by it where a text is mostly ideographs.
 */
export const IDEOGRAPHS_A_WORD = 1.6;

/** Words of one text. The arrays are longer than `n` and are reused by the next call: copy what must stay. */
export type Words = {
  readonly n: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** FNV-1a of each word as it is written. */
  readonly hashes: Int32Array;
  /** Words with a letter or digit in them, words with a letter, and those that are single ideographs. */
  readonly plain: number;
  readonly alphabetic: number;
  readonly ideographs: number;
  /** UTF-16 units of the words with a letter or digit. */
  readonly plainUnits: number;
};

const SPACE = 0, SYMBOL = 1, JOINER = 2, DIGIT = 3, LETTER = 4, IDEOGRAPH = 5;
let classes: Uint8Array | undefined;

function makeClasses(): Uint8Array {
  const table = new Uint8Array(0x10000).fill(SYMBOL);
  for (let code = 0; code < 0x10000; code++) {
    const character = String.fromCharCode(code);
    if (/\s/.test(character)) table[code] = SPACE;
    else if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(character)) table[code] = IDEOGRAPH;
    else if (/[\p{L}\p{M}]/u.test(character)) table[code] = LETTER;
    else if (/\p{N}/u.test(character)) table[code] = DIGIT;
    else if ("'’-._".includes(character)) table[code] = JOINER;
  }
  return table;
}

/** Splits texts into words; keeps its arrays for the next text. */
export class WordScanner {
  #starts = new Int32Array(1024);
  #ends = new Int32Array(1024);
  #hashes = new Int32Array(1024);

  scan(text: string): Words {
    const table = classes ??= makeClasses();
    let n = 0, plain = 0, alphabetic = 0, ideographs = 0, plainUnits = 0;
    for (let i = 0; i < text.length;) {
      const first = table[text.charCodeAt(i)]!;
      if (first === SPACE) {
        i++;
        continue;
      }
      const start = i;
      let hash = 0x811c9dc5 | 0, letters = first === LETTER || first === IDEOGRAPH;
      if (first === IDEOGRAPH) {
        hash = Math.imul(hash ^ text.charCodeAt(i++), 0x01000193);
        ideographs++;
      } else {
        const symbols = first === SYMBOL || first === JOINER;
        for (; i < text.length; i++) {
          const code = text.charCodeAt(i), kind = table[code]!;
          if (symbols ? kind === SPACE || kind > JOINER : kind < JOINER || kind === IDEOGRAPH) break;
          // A joiner belongs to a word only between two of its characters.
          if (!symbols && kind === JOINER && !isWordClass(table[text.charCodeAt(i + 1)])) break;
          if (kind === LETTER) letters = true;
          hash = Math.imul(hash ^ code, 0x01000193);
        }
      }
      if (n === this.#starts.length) this.#grow();
      this.#starts[n] = start;
      this.#ends[n] = i;
      this.#hashes[n++] = hash;
      if (first >= DIGIT) {
        plain++;
        plainUnits += i - start;
      }
      if (letters) alphabetic++;
    }
    return { n, starts: this.#starts, ends: this.#ends, hashes: this.#hashes, plain, alphabetic, ideographs, plainUnits };
  }

  #grow(): void {
    const grown = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const longer = new Int32Array(array.length * 2);
      longer.set(array);
      return longer;
    };
    this.#starts = grown(this.#starts);
    this.#ends = grown(this.#ends);
    this.#hashes = grown(this.#hashes);
  }
}

function isWordClass(kind: number | undefined): boolean {
  return kind === LETTER || kind === DIGIT;
}

/** Whether thresholds in words should be read in ideographs: more than half of the words are. */
export function isIdeographic(words: Words): boolean {
  return words.ideographs * 2 > words.plain;
}
