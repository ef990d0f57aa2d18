// Regular expressions as tokenizer files write them, parsed into a tree. Layer: tokenizer (pure).
// Oniguruma's syntax as Hugging Face tokenizers uses it, and where the two differ that of tiktoken (Rust's fancy-regex).
// Only what a finite automaton can do: no back references, and of looking around only at the next character.
// Source: github.com/kkos/oniguruma doc/RE, docs.rs/fancy-regex.

import { ConfigError } from '../base/errors.ts';
import { TextScanner } from '../base/text-scanner.ts';
import { caseFolded, classSet, complement, CODE_POINTS, intersection, union, type CharSet } from './char-set.ts';

/** A parsed expression. */
export type Regex =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly parts: readonly Regex[] }
  | { readonly kind: 'choice'; readonly options: readonly Regex[] }
  | { readonly kind: 'repeat'; readonly body: Regex; readonly min: number; readonly max: number; readonly mode: 'greedy' | 'lazy' | 'possessive' }
  /** Passes, without taking anything, if the next character is in the set, or there is none and `atEnd`. */
  | { readonly kind: 'guard'; readonly set: CharSet; readonly atEnd: boolean };

/** Whose rules hold where they differ. */
export type RegexDialect = 'oniguruma' | 'tiktoken';

/** Why an expression cannot be used; readers of files add file and place. */
export class RegexError extends ConfigError {}

const MAX_DEPTH = 64;
const MAX_REPEATS = 1000;

const NONE: CharSet = [];
const ANY: CharSet = [0, CODE_POINTS];
const one = (codePoint: number): CharSet => [codePoint, codePoint + 1];

/** Escapes that stand for a class. */
const CLASSES: Readonly<Record<string, string>> = {
  s: String.raw`\p{White_Space}`,
  S: String.raw`\P{White_Space}`,
  d: String.raw`\p{Nd}`,
  D: String.raw`\P{Nd}`,
  w: String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]`,
  W: String.raw`[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]`,
  h: '[0-9a-fA-F]',
  H: '[^0-9a-fA-F]',
};

/** Names between `[:` and `:]`. */
const POSIX: Readonly<Record<string, string>> = {
  alpha: String.raw`\p{Alphabetic}`,
  alnum: String.raw`[\p{Alphabetic}\p{Nd}]`,
  digit: String.raw`\p{Nd}`,
  lower: String.raw`\p{Lowercase}`,
  upper: String.raw`\p{Uppercase}`,
  space: String.raw`\p{White_Space}`,
  punct: String.raw`[\p{P}\p{S}]`,
  word: String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]`,
  xdigit: '[0-9a-fA-F]',
};

const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b, a: 0x07, e: 0x1b, '0': 0 };

/** @throws {RegexError} saying what is not understood, and where */
export function parseRegex(source: string, dialect: RegexDialect = 'oniguruma'): Regex {
  return new Parser(source, dialect).whole();
}

class Parser {
  readonly #text: TextScanner;
  readonly #dialect: RegexDialect;
  #folds = false;
  #depth = 0;

  constructor(source: string, dialect: RegexDialect) {
    this.#text = new TextScanner(source);
    this.#dialect = dialect;
  }

  whole(): Regex {
    const tree = this.#choice();
    if (!this.#text.isAtEnd) throw this.#error('a ")" without a "("');
    return tree;
  }

  #error(state: string): RegexError {
    return new RegexError(`${state} at character ${this.#text.at}`);
  }

  #next(): number {
    const codePoint = this.#text.next();
    if (codePoint === undefined) throw this.#error('an end too early');
    return codePoint;
  }

  #choice(): Regex {
    if (++this.#depth > MAX_DEPTH) throw this.#error(`groups nested deeper than ${MAX_DEPTH}`);
    const folds = this.#folds, options = [this.#sequence()];
    while (this.#text.take('|')) options.push(this.#sequence());
    this.#folds = folds; // `(?i)` holds to the end of its group
    this.#depth--;
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  #sequence(): Regex {
    const parts: Regex[] = [];
    while (!this.#text.isAtEnd && !'|)'.includes(this.#text.peek()!)) {
      const atom = this.#atom();
      if (atom !== undefined) parts.push(this.#repeated(atom));
    }
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  #repeated(atom: Regex): Regex {
    let body = atom;
    for (;;) {
      const found = this.#text.match(/[*+?]|\{(\d*)(,?)(\d*)\}/);
      if (found === null) return body;
      const [text, low, comma, high] = found;
      let min = text === '+' ? 1 : 0, max = text === '?' ? 1 : Infinity;
      if (text.startsWith('{')) {
        if (low === '' && high === '') throw this.#error(`"${text}", which counts nothing,`);
        min = Number(low);
        max = comma === '' ? min : high === '' ? Infinity : Number(high);
      }
      if (min > max || min > MAX_REPEATS || (max !== Infinity && max > MAX_REPEATS)) throw this.#error(`the count "${text}"`);
      if (body.kind === 'guard') throw this.#error('a repeated assertion');
      // In Oniguruma `{1,3}+` repeats what was repeated; in Rust and PCRE it is possessive.
      const possessive = (!text.startsWith('{') || this.#dialect === 'tiktoken') && this.#text.take('+');
      const lazy = !possessive && this.#text.take('?');
      body = { kind: 'repeat', body, min, max, mode: possessive ? 'possessive' : lazy ? 'lazy' : 'greedy' };
    }
  }

  /** One character, class, group or assertion; nothing for a flag. */
  #atom(): Regex | undefined {
    if (this.#text.take('(')) return this.#group();
    if (this.#text.take('[')) return { kind: 'set', set: this.#fold(this.#bracket()) };
    if (this.#text.take('.')) return { kind: 'set', set: complement(one(0x0a)) };
    if (this.#text.take('$')) return { kind: 'guard', set: this.#dialect === 'oniguruma' ? one(0x0a) : NONE, atEnd: true };
    if (this.#text.take(String.raw`\z`)) return { kind: 'guard', set: NONE, atEnd: true };
    if (this.#text.peek() === '\\') return { kind: 'set', set: this.#fold(this.#escape()) };
    if ('^*+?'.includes(this.#text.peek()!)) throw this.#error(`"${this.#text.peek()}", which is not supported there,`);
    return { kind: 'set', set: this.#fold(one(this.#next())) };
  }

  #fold(set: CharSet): CharSet {
    return this.#folds ? caseFolded(set) : set;
  }

  #group(): Regex | undefined {
    const flags = this.#text.match(/\?(i?)(-i)?([:)])/), folds = this.#folds;
    if (flags !== null) {
      if (flags[1] === 'i') this.#folds = true;
      if (flags[2] !== undefined) this.#folds = false;
      if (flags[3] === ')') return undefined;
    } else {
      const negative = this.#text.take('?!');
      if (negative || this.#text.take('?=')) return this.#lookahead(negative);
      if (this.#text.peek() === '?') throw this.#error('a group of a kind that is not supported');
    }
    const tree = this.#choice();
    if (!this.#text.take(')')) throw this.#error('a "(" without its ")"');
    this.#folds = folds;
    return tree;
  }

  #lookahead(negative: boolean): Regex {
    const body = this.#choice();
    if (!this.#text.take(')')) throw this.#error('a "(" without its ")"');
    const set = singleSet(body);
    if (set === undefined) throw this.#error('looking ahead further than one character, which is not supported,');
    return { kind: 'guard', set: negative ? complement(set) : set, atEnd: negative };
  }

  /** An escape outside or inside brackets, at its backslash. */
  #escape(): CharSet {
    const property = this.#text.match(/\\([pP])\{(\^?)(\w+(?:=\w+)?)\}/);
    if (property !== null) {
      const set = this.#property(property[3]!);
      return (property[1] === 'P') !== (property[2] === '^') ? complement(set) : set;
    }
    const short = this.#text.match(/\\([pP])([A-Z])/);
    if (short !== null) return classSet(`\\${short[1]}{${short[2]}}`);
    const hex = this.#text.match(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|[xu]\{([0-9a-fA-F]{1,6})\})/);
    if (hex !== null) {
      const codePoint = parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      if (codePoint >= CODE_POINTS) throw this.#error('an escape that is no character');
      return one(codePoint);
    }
    this.#text.at++;
    const letter = String.fromCodePoint(this.#next());
    if (Object.hasOwn(CLASSES, letter)) return classSet(CLASSES[letter]!);
    if (Object.hasOwn(CONTROLS, letter)) return one(CONTROLS[letter]!);
    if (/[a-zA-Z0-9]/.test(letter)) throw this.#error(`"\\${letter}", which is not supported,`);
    return one(letter.codePointAt(0)!);
  }

  /** A general category, a binary property or (without the word `Script`) a script. */
  #property(name: string): CharSet {
    if (Object.hasOwn(POSIX, name.toLowerCase())) return classSet(POSIX[name.toLowerCase()]!);
    for (const source of [name, `Script=${name}`]) {
      try {
        return classSet(`\\p{${source}}`);
      } catch (cause) {
        if (!(cause instanceof SyntaxError)) throw cause;
      }
    }
    throw this.#error(`the unknown property "${name}"`);
  }

  /** The rest of a class, behind its bracket. */
  #bracket(): CharSet {
    if (++this.#depth > MAX_DEPTH) throw this.#error(`classes nested deeper than ${MAX_DEPTH}`);
    const negated = this.#text.take('^');
    let set: CharSet = NONE, all: CharSet = ANY;
    for (let first = true; first || !this.#text.take(']'); first = false) {
      if (this.#text.take('&&')) {
        all = intersection(all, set);
        set = NONE;
      } else set = union(set, this.#member(first));
    }
    this.#depth--;
    const inside = intersection(all, set);
    return negated ? complement(inside) : inside;
  }

  /** A character, range, class or nested class inside brackets. */
  #member(first: boolean): CharSet {
    const posix = this.#text.match(/\[:(\^?)(\w+):\]/);
    if (posix !== null) {
      if (!Object.hasOwn(POSIX, posix[2]!)) throw this.#error(`the unknown class "${posix[2]}"`);
      const set = classSet(POSIX[posix[2]!]!);
      return posix[1] === '^' ? complement(set) : set;
    }
    if (!first && this.#text.take('[')) return this.#bracket();
    if (first && this.#text.startsWith('[')) {
      this.#text.at++;
      return this.#bracket();
    }
    const low = this.#text.peek() === '\\' ? this.#escape() : one(this.#next());
    const isOne = low.length === 2 && low[1] === low[0]! + 1, after = this.#text.peek(1);
    if (!isOne || this.#text.peek() !== '-' || after === ']' || after === undefined) return low;
    this.#text.at++;
    const high = this.#text.peek() === '\\' ? this.#escape() : one(this.#next());
    if (high.length !== 2 || high[1] !== high[0]! + 1 || high[0]! < low[0]!) throw this.#error('a range that is none');
    return [low[0]!, high[1]!];
  }
}

/** The set of an expression that always takes exactly one character. */
function singleSet(tree: Regex): CharSet | undefined {
  if (tree.kind === 'set') return tree.set;
  if (tree.kind !== 'choice') return undefined;
  let all: CharSet | undefined = NONE;
  for (const option of tree.options) {
    const set = singleSet(option);
    all = set === undefined || all === undefined ? undefined : union(all, set);
  }
  return all;
}
