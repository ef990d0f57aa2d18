// Grammars in llama.cpp's notation, GBNF. Layer: engine (pure).
// Source: github.com/ggml-org/llama.cpp, grammars/README.md.

import { FormatError } from '../../base/errors.ts';
import { TextScanner } from '../../base/text-scanner.ts';
import { characters, choice, repeat, rule, sequence, text, type Expression } from './expression.ts';

const MAX_NESTING = 64;
const MAX_COUNT = 10_000;
const LAST = 0x10ffff;

/**
 * The rules of a grammar by name; answers begin at `root`.
 *
 * @throws {FormatError} with the offset (UTF-16) at which it is not understood
 */
export function parseGbnf(source: string): Map<string, Expression> {
  return new Parser(source).rules();
}

class Parser {
  readonly #text: TextScanner;
  #depth = 0;
  readonly #used = new Map<string, number>();

  constructor(source: string) {
    this.#text = new TextScanner(source);
  }

  rules(): Map<string, Expression> {
    const rules = new Map<string, Expression>();
    this.#space(true);
    while (!this.#text.isAtEnd) {
      const name = this.#name();
      if (name === undefined) throw this.#error('a rule was expected ("name ::= …")');
      this.#space(false);
      if (!this.#text.take('::=')) throw this.#error(`"::=" was expected behind "${name}"`);
      if (rules.has(name)) throw this.#error(`rule "${name}" is there twice`);
      this.#space(true);
      rules.set(name, this.#choice(false));
      this.#space(true);
    }
    for (const [name, offset] of this.#used) {
      if (!rules.has(name)) throw new FormatError(`Cannot read the grammar: there is no rule "${name}", which is used at character ${offset}`, { path: 'grammar', offset });
    }
    if (!rules.has('root')) throw new FormatError('Cannot read the grammar: there is no rule "root" to begin with', { path: 'grammar' });
    return rules;
  }

  #error(state: string): FormatError {
    return new FormatError(`Cannot read the grammar: ${state} at character ${this.#text.at}`, { path: 'grammar', offset: this.#text.at });
  }

  /** White space and comments; over line ends only where a rule cannot end there. */
  #space(overLines: boolean): void {
    this.#text.match(overLines ? /(?:[ \t\r\n]|#[^\n]*)*/ : /(?:[ \t]|#[^\n]*)*/);
  }

  #name(): string | undefined {
    return this.#text.match(/[a-zA-Z0-9_-]+/)?.[0];
  }

  #choice(nested: boolean): Expression {
    if (++this.#depth > MAX_NESTING) throw this.#error(`groups are nested deeper than ${MAX_NESTING}`);
    const options = [this.#sequence(nested)];
    for (;;) {
      const before = this.#text.at;
      this.#space(true); // a line may begin with its "|"
      if (!this.#text.take('|')) {
        if (!nested) this.#text.at = before;
        break;
      }
      this.#space(true);
      options.push(this.#sequence(nested));
    }
    this.#depth--;
    return choice(...options);
  }

  #sequence(nested: boolean): Expression {
    const parts: Expression[] = [];
    for (;;) {
      this.#space(nested);
      const atom = this.#atom();
      if (atom === undefined) return parts.length === 1 ? parts[0]! : sequence(...parts);
      parts.push(this.#repeated(atom));
    }
  }

  #repeated(atom: Expression): Expression {
    let body = atom;
    for (;;) {
      const found = this.#text.match(/[*+?]|\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}/);
      if (found === null) return body;
      const [token, low, comma, high] = found;
      let min = token === '+' ? 1 : 0, max = token === '?' ? 1 : Infinity;
      if (token.startsWith('{')) {
        min = Number(low);
        max = comma === '' ? min : high === '' ? Infinity : Number(high);
        if (low === '' && high === '') throw this.#error(`the count "${token}" counts nothing`);
      }
      if (min > max || min > MAX_COUNT || (max !== Infinity && max > MAX_COUNT)) throw this.#error(`the count "${token}" is not from 0 to ${MAX_COUNT}`);
      body = repeat(body, min, max);
    }
  }

  #atom(): Expression | undefined {
    if (this.#text.take('"')) return this.#literal();
    if (this.#text.take('[')) return this.#set();
    if (this.#text.take('.')) return characters(0, LAST);
    if (this.#text.take('(')) {
      this.#space(true);
      const body = this.#choice(true);
      this.#space(true);
      if (!this.#text.take(')')) throw this.#error('a "(" has no ")"');
      return body;
    }
    const offset = this.#text.at, name = this.#name();
    if (name === undefined) return undefined;
    const behind = this.#text.at;
    this.#space(true);
    if (this.#text.startsWith('::=')) { // the next rule, after a "|" or "::=" with nothing behind it
      this.#text.at = offset;
      return undefined;
    }
    this.#text.at = behind;
    if (!this.#used.has(name)) this.#used.set(name, offset);
    return rule(name);
  }

  #literal(): Expression {
    let value = '';
    while (!this.#text.take('"')) value += String.fromCodePoint(this.#character());
    return text(value);
  }

  #set(): Expression {
    const negated = this.#text.take('^'), pairs: [number, number][] = [];
    while (!this.#text.take(']')) {
      const low = this.#character();
      let high = low;
      if (this.#text.peek() === '-' && this.#text.peek(1) !== ']') {
        this.#text.at++;
        high = this.#character();
      }
      if (high < low) throw this.#error('a range ends before it begins');
      pairs.push([low, high]);
    }
    if (!negated) return characters(...pairs.flat());
    const ranges: number[] = [];
    let from = 0;
    for (const [low, high] of pairs.sort((a, b) => a[0] - b[0])) {
      if (low > from) ranges.push(from, low - 1);
      from = Math.max(from, high + 1);
    }
    if (from <= LAST) ranges.push(from, LAST);
    return characters(...ranges);
  }

  /** One character, or an escape. */
  #character(): number {
    const hex = this.#text.match(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/);
    if (hex !== null) {
      const c = parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      if (c > LAST || (c >= 0xd800 && c < 0xe000)) throw this.#error('an escape is no character');
      return c;
    }
    const escape = this.#text.match(/\\([nrt"\\[\]-])/);
    if (escape !== null) return { n: 10, r: 13, t: 9 }[escape[1]!] ?? escape[1]!.charCodeAt(0);
    if (this.#text.peek() === '\\') throw this.#error('an escape is unknown');
    const c = this.#text.next();
    if (c === undefined) throw this.#error('the grammar ends inside quotes or brackets');
    return c;
  }
}
