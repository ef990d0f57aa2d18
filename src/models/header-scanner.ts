// Reads JSON from front to back without making its values: what is wrong is met before anything is held, at its place.
// JSON.parse takes five to ten times the memory of a safetensors header, and lets a key that is given twice win silently.
// Layer: models (pure). See RFC 8259.

import { FormatError } from '../base/errors.ts';

const QUOTE = 0x22, BACKSLASH = 0x5c;

export class HeaderScanner {
  readonly #text: string;
  readonly #path: string;
  readonly #start: number;
  #at = 0;

  /** @param start where in the file the text begins, for messages */
  constructor(text: string, path: string, start: number) {
    this.#text = text;
    this.#path = path;
    this.#start = start;
  }

  /** A FormatError about what stands here, or at an earlier place. */
  fail(state: string, at = this.#at): FormatError {
    const offset = this.#start + new TextEncoder().encode(this.#text.slice(0, at)).length;
    return new FormatError(`Cannot read "${this.#path}": ${state} (at byte ${offset}). Get another copy of it.`, { path: this.#path, offset });
  }

  /** Where the next value begins. */
  get place(): number {
    this.#skipSpace();
    return this.#at;
  }

  /** An object; `read` takes the value of each key. @throws {FormatError} if it is none, or has a key twice */
  object(what: string, read: (key: string) => void): void {
    const keys = new Set<string>();
    this.#list('{', '}', `${what} should be an object`, () => {
      const at = this.place, key = this.string('a key');
      if (keys.has(key)) throw this.fail(`the key ${JSON.stringify(key.slice(0, 60))} is given twice`, at);
      keys.add(key);
      if (!this.#take(':')) throw this.#notJson();
      read(key);
    });
  }

  /** An array; `read` takes each item. */
  array(what: string, read: () => void): void {
    this.#list('[', ']', `${what} should be an array`, read);
  }

  #list(open: string, close: string, refusal: string, read: () => void): void {
    if (!this.#take(open)) throw this.#atEnd() ? this.#notJson() : this.fail(refusal);
    if (this.#take(close)) return;
    do read(); while (this.#take(','));
    if (!this.#take(close)) throw this.#notJson();
  }

  string(what: string): string {
    const from = this.place;
    if (this.#text.charCodeAt(from) !== QUOTE) throw this.#atEnd() ? this.#notJson() : this.fail(`${what} should be a string`);
    let escaped = false;
    for (let i = from + 1; i < this.#text.length; i++) {
      const code = this.#text.charCodeAt(i);
      if (code === QUOTE) {
        this.#at = i + 1;
        return escaped ? this.#unescaped(from, i + 1) : this.#text.slice(from + 1, i);
      }
      if (code < 0x20) throw this.#notJson(i);
      if (code === BACKSLASH) {
        escaped = true;
        i++;
      }
    }
    throw this.#notJson(this.#text.length);
  }

  #unescaped(from: number, to: number): string {
    try {
      return JSON.parse(this.#text.slice(from, to)) as string;
    } catch {
      throw this.#notJson(from);
    }
  }

  /** A whole number from 0 to 2^53 − 1, written as one: 1.0 and 1e3 are none. */
  natural(what: string): number {
    const from = this.place, word = /[^\s,:{}[\]"]*/y;
    word.lastIndex = from;
    const [digits] = word.exec(this.#text)!;
    if (digits === '') throw this.#atEnd() ? this.#notJson() : this.fail(`${what} should be a whole number`);
    this.#at = from + digits.length;
    const value = Number(digits);
    if (/^(0|[1-9][0-9]*)$/.test(digits) && Number.isSafeInteger(value)) return value;
    throw this.fail(`${what} has ${digits.slice(0, 30)}, which is no whole number from 0 to 2^53 − 1`, from);
  }

  /** @throws {FormatError} if anything but white space follows */
  end(): void {
    this.#skipSpace();
    if (!this.#atEnd()) throw this.#notJson();
  }

  #atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  #notJson(at = this.#at): FormatError {
    const next = this.#text[at];
    return this.fail(next === undefined ? 'it is not JSON: it ends too early' : `it is not JSON: ${JSON.stringify(next)} should not be there`, at);
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    for (;; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }
}
