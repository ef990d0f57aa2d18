// Reading JSON that somebody else wrote: every step says what stands where and what should. Layer: base (pure).
// JSON.parse alone lets a key that is given twice win silently; here it is an error.

import { FormatError } from './errors.ts';

/** A value inside a JSON file, with the words to complain about it. */
export class JsonNode {
  readonly value: unknown;
  readonly file: string;
  /** Where it stands, such as `model.merges[3]`; empty for the whole file. */
  readonly place: string;

  constructor(value: unknown, file: string, place = '') {
    this.value = value;
    this.file = file;
    this.place = place;
  }

  /** A FormatError about this value. @param state what is wrong, after "Cannot read …: PLACE " */
  error(state: string): FormatError {
    return new FormatError(`Cannot read "${this.file}": ${this.place || 'the file'} ${state}.`, { path: this.file });
  }

  #expect(ok: boolean, what: string): void {
    if (!ok) throw this.error(`should be ${what}, but is ${shown(this.value)}`);
  }

  /** A field of an object; null if it is absent. @throws {FormatError} if this is no object */
  field(name: string): JsonNode {
    const fields = this.object();
    const place = this.place === '' ? name : `${this.place}.${name}`;
    return new JsonNode(Object.hasOwn(fields, name) ? fields[name] : null, this.file, place);
  }

  get isNull(): boolean {
    return this.value === null;
  }

  object(): Record<string, unknown> {
    this.#expect(typeof this.value === 'object' && this.value !== null && !Array.isArray(this.value), 'an object');
    return this.value as Record<string, unknown>;
  }

  array(): readonly unknown[] {
    this.#expect(Array.isArray(this.value), 'an array');
    return this.value as unknown[];
  }

  items(): JsonNode[] {
    return this.array().map((item, i) => new JsonNode(item, this.file, `${this.place}[${i}]`));
  }

  string(): string {
    this.#expect(typeof this.value === 'string', 'a string');
    return this.value as string;
  }

  /** A boolean; `absent` for null. */
  boolean(absent: boolean): boolean {
    if (this.value === null) return absent;
    this.#expect(typeof this.value === 'boolean', 'true or false');
    return this.value as boolean;
  }

  /** A token id. */
  id(): number {
    this.#expect(Number.isInteger(this.value) && (this.value as number) >= 0 && (this.value as number) < MAX_ID, `a token id (a whole number from 0 to ${MAX_ID - 1})`);
    return this.value as number;
  }

  /** One of the values that we can work with. */
  supported<T extends string | number | boolean | null>(...values: T[]): T {
    if (!values.includes(this.value as T)) {
      throw this.error(`is ${shown(this.value)}, which is not supported; supported: ${values.map((value) => JSON.stringify(value)).join(', ')}`);
    }
    return this.value as T;
  }
}

/** Ids are indices into arrays; no vocabulary in use has passed 300,000. A larger id is a damaged file. */
const MAX_ID = 2 ** 24;

/** A value in a message, cut short. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/**
 * Parses a whole file.
 *
 * @param file its name, for messages
 * @throws {FormatError} if it is no JSON, nests too deeply, holds more values than its length can mean, or an object in
 *   it gives a key twice
 */
export function parseJson(text: string, file: string): JsonNode {
  let value: unknown;
  checkBulk(text, file);
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { message } = cause as Error, place = /at position (\d+)/.exec(message)?.[1], offset = place === undefined ? {} : { offset: byteAt(text, Number(place)) };
    throw new FormatError(`Cannot read "${file}": it is not JSON (${message}). Get another copy of it.`, { path: file, ...offset, cause });
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) {
    throw new FormatError(`Cannot read "${file}": the key ${shown(twice)} is given twice in one object. Get another copy of it, or delete one.`, { path: file });
  }
  return new JsonNode(value, file);
}

/** No file that is read here nests even twenty deep. */
const MAX_DEPTH = 100;

/** What V8 takes for an array or object and for a place in one, roughly; measured with Node 20. */
const CONTAINER_BYTES = 64, VALUE_BYTES = 16;

/** Values may take three times the text and this, so that with the text itself a file stays within four times its size and 64 MB. */
const FREE_BYTES = 32 * 2 ** 20;

/** The byte of UTF-8 at which a character begins. */
const byteAt = (text: string, at: number): number => new TextEncoder().encode(text.slice(0, at)).length;

/** Refuses bombs before they are parsed: `[[[[…` and `[{},{},{},…` take ten and more bytes of memory for one of the file. */
function checkBulk(text: string, file: string): void {
  const most = 3 * text.length + FREE_BYTES;
  let depth = 0, bytes = 0;
  const refuse = (state: string, at: number): FormatError => {
    const offset = byteAt(text, at);
    return new FormatError(`Cannot read "${file}": ${state} at byte ${offset}. Get another copy of it.`, { path: file, offset });
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) { // "
      i = closingQuote(text, i);
      if (i < 0) return; // no JSON: the parser says where
    } else if (code === 0x7b || code === 0x5b) { // { [
      bytes += CONTAINER_BYTES;
      if (++depth > MAX_DEPTH) throw refuse(`it nests more than ${MAX_DEPTH} deep`, i);
    } else if (code === 0x7d || code === 0x5d) depth--; // } ]
    else if (code === 0x2c) bytes += VALUE_BYTES; // ,
    if (bytes > most) throw refuse(`it holds more values than a file of ${text.length} characters may`, i);
  }
}

/** Where the string that starts with a quote at `start` ends: its closing quote, or −1. By hand, since a regular expression
 * runs out of stack on a string of some megabytes. */
function closingQuote(text: string, start: number): number {
  let i = text.indexOf('"', start + 1);
  for (;;) {
    if (i < 0) return i;
    let backslashes = 0;
    while (text[i - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return i;
    i = text.indexOf('"', i + 1);
  }
}

/** The first key that an object of this JSON text gives twice. The text must be valid JSON. */
export function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // the keys of each open object; undefined for an array
  const structure = /["{}[\]]/g, colon = /\s*:/y;
  for (let match = structure.exec(text); match !== null; match = structure.exec(text)) {
    const [token] = match;
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token !== '"') open.pop();
    else {
      const end = closingQuote(text, match.index);
      structure.lastIndex = colon.lastIndex = end + 1;
      if (!colon.test(text)) continue; // a value
      const key = JSON.parse(text.slice(match.index, end + 1)) as string, keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
