// Text from outside, made unmistakable while a chat template handles it. Layer: tokenizer (pure).
// Each of its characters is replaced by one of a private-use area, so that nothing in a rendered prompt but what the
// template itself wrote can spell a control token, whatever the template joins, cuts or repeats; afterwards the
// characters come back. What templates look at stays as it is where that is safe: white space (they trim), quotation
// marks and backslashes (they write JSON), and their own string literals (they search, split and compare).

/** Code points that Unicode leaves to private use: first those that JavaScript counts as one character. */
const PRIVATE_USE = [[0xe000, 0xf8ff], [0xf0000, 0xffffd], [0x100000, 0x10fffd]] as const;

/** The marks that are one character, as JSON in ASCII has them. */
const ESCAPED_MARK = /\\u([ef][0-9a-f]{3})/g;

/** What a marker must know of the template and the tokenizer. */
export interface MarkerContext {
  /** Tokens that only a template may write. */
  readonly control: readonly string[];
  /** The template's string literals. */
  readonly literals: readonly string[];
  /** Everything else that may come out of the template; private-use characters of it are not used. */
  readonly reserved: string;
}

export class TextMarker {
  readonly #marks = new Map<string, string>();
  readonly #texts = new Map<string, string>();
  readonly #kept: RegExp | undefined;

  /** @param strings all text from outside */
  constructor(strings: readonly string[], { control, literals, reserved }: MarkerContext) {
    const safe = literals.filter((literal) => literal.trim() !== '' && !control.some((token) => overlap(literal, token)));
    this.#kept = safe.length === 0 ? undefined : alternatives(safe);
    const inControl = new Set(control.join('')), characters = new Set(strings.join(''));
    const marked = [...characters].filter((character) => inControl.has(character) || !/[\s"'\\]/.test(character));
    // Where there are more characters than private ones, those go first that control tokens are made of.
    if (marked.length > 6400) marked.sort((a, b) => Number(inControl.has(b)) - Number(inControl.has(a)));
    else marked.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!); // templates that sort see the same order
    const free = privateUse(new Set([...characters, ...reserved, ...control.join('')]));
    for (const character of marked) {
      const next = free.next();
      if (next.done === true) break;
      this.#marks.set(character, next.value);
      this.#texts.set(next.value, character);
    }
  }

  /** A text that no control token can be part of, nor have a part in. */
  mark(text: string): string {
    if (this.#kept === undefined) return this.#markAll(text);
    let marked = '', from = 0;
    for (const match of text.matchAll(this.#kept)) {
      marked += this.#markAll(text.slice(from, match.index)) + match[0];
      from = match.index + match[0].length;
    }
    return marked + this.#markAll(text.slice(from));
  }

  #markAll(text: string): string {
    let marked = '';
    for (const character of text) marked += this.#marks.get(character) ?? character;
    return marked;
  }

  /** What was marked, as it was; everything else stays. */
  unmark(text: string): string {
    let plain = '';
    for (const character of text.replace(ESCAPED_MARK, (escaped, code: string) => this.#unescaped(code) ?? escaped)) plain += this.#texts.get(character) ?? character;
    return plain;
  }

  /** A mark that a template wrote as JSON in ASCII; the letters of such an escape that came from outside are marked themselves. */
  #unescaped(code: string): string | undefined {
    const character = this.#texts.get(String.fromCharCode(Number.parseInt(code, 16)));
    if (character === undefined || character < '\u007f') return character;
    return Array.from(character.split(''), (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  }
}

function* privateUse(taken: ReadonlySet<string>): Generator<string> {
  for (const [first, last] of PRIVATE_USE) {
    for (let code = first; code <= last; code++) {
      const character = String.fromCodePoint(code);
      if (!taken.has(character)) yield character;
    }
  }
}

/** Whether some text could hold both words, sharing characters. */
function overlap(a: string, b: string): boolean {
  if (a.includes(b) || b.includes(a)) return true;
  for (let n = 1; n < Math.min(a.length, b.length); n++) if (a.endsWith(b.slice(0, n)) || b.endsWith(a.slice(0, n))) return true;
  return false;
}

/** A pattern for words, the longest first where several begin. */
export function alternatives(words: readonly string[]): RegExp {
  const longestFirst = [...new Set(words)].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((word) => word.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)).join('|'), 'g');
}
