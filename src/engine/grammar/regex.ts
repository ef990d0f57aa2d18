// Regular expressions in ECMAScript's words, as automata over characters. Layer: engine (pure).
// What a finite automaton can do: no back references, no looking around, no word boundaries; those are refused by name.
// Source: ECMA-262, section 22.2.1 (with the flag u).

import { ConfigError } from '../../base/errors.ts';
import { TextScanner } from '../../base/text-scanner.ts';
import { classSet, complement, union, type CharSet } from '../../tokenizer/char-set.ts';
import { determinise, LAST_CHARACTER, Nfa, type Dfa } from './dfa.ts';

const MAX_NESTING = 64;
const MAX_COUNT = 10_000;
const LINE_ENDS: CharSet = [0x0a, 0x0b, 0x0d, 0x0e, 0x2028, 0x202a];
const DIGITS: CharSet = [0x30, 0x3a];
const WORDS: CharSet = [0x30, 0x3a, 0x41, 0x5b, 0x5f, 0x60, 0x61, 0x7b];
const CONTROLS: Readonly<Record<string, number>> = { n: 0x0a, r: 0x0d, t: 0x09, f: 0x0c, v: 0x0b, '0': 0 };
const one = (c: number): CharSet => [c, c + 1];

/** A parsed piece: adds itself to the NFA between two states. */
type Piece = (nfa: Nfa, from: number, to: number) => void;

/**
 * The strings that an expression matches as a whole; with `search` those that hold a match somewhere, as JSON Schema's
 * `pattern` means it.
 *
 * @throws {ConfigError} naming what is not understood, and where
 * @throws {CapacityError} if the automaton would be too large
 */
export function regexDfa(source: string, search = false): Dfa {
  const body = new Parser(source).whole(), nfa = new Nfa(), start = nfa.state(), inside = nfa.state(), behind = nfa.state(), final = nfa.state();
  nfa.empties[start]!.push({ to: inside, when: 'always' });
  if (search) {
    const before = nfa.state(); // apart from the start, so that ^ holds there only
    nfa.edges[start]!.push([0, LAST_CHARACTER, before]);
    nfa.edges[before]!.push([0, LAST_CHARACTER, before]);
    nfa.empties[before]!.push({ to: inside, when: 'always' });
    nfa.edges[behind]!.push([0, LAST_CHARACTER, behind]);
  }
  body(nfa, inside, behind);
  nfa.empties[behind]!.push({ to: final, when: 'always' });
  return determinise(nfa, start, final);
}

class Parser {
  readonly #text: TextScanner;
  #depth = 0;

  constructor(source: string) {
    this.#text = new TextScanner(source);
  }

  whole(): Piece {
    const piece = this.#choice();
    if (!this.#text.isAtEnd) throw this.#error('a ")" without a "("');
    return piece;
  }

  #error(state: string): ConfigError {
    return new ConfigError(`Cannot use the expression ${JSON.stringify(this.#text.source.slice(0, 200))}: ${state} at character ${this.#text.at}`);
  }

  #next(): number {
    const c = this.#text.next();
    if (c === undefined) throw this.#error('an end too early');
    return c;
  }

  #choice(): Piece {
    if (++this.#depth > MAX_NESTING) throw this.#error(`groups nested deeper than ${MAX_NESTING}`);
    const options = [this.#sequence()];
    while (this.#text.take('|')) options.push(this.#sequence());
    this.#depth--;
    return (nfa, from, to) => {
      for (const option of options) option(nfa, from, to);
    };
  }

  #sequence(): Piece {
    const parts: Piece[] = [];
    while (!this.#text.isAtEnd && !'|)'.includes(this.#text.peek()!)) parts.push(this.#repeated(this.#atom()));
    return (nfa, from, to) => {
      let at = from;
      for (const part of parts) {
        const next = nfa.state();
        part(nfa, at, next);
        at = next;
      }
      nfa.empties[at]!.push({ to, when: 'always' });
    };
  }

  #repeated(body: Piece): Piece {
    const found = this.#text.match(/[*+?]|\{(\d+)(,?)(\d*)\}/);
    if (found === null) return body;
    const [text, low, comma, high] = found;
    let min = text === '+' ? 1 : 0, max = text === '?' ? 1 : Infinity;
    if (text.startsWith('{')) {
      min = Number(low);
      max = comma === '' ? min : high === '' ? Infinity : Number(high);
    }
    if (min > max || min > MAX_COUNT || (max !== Infinity && max > MAX_COUNT)) throw this.#error(`the count "${text}"`);
    this.#text.take('?'); // lazy or not, the same strings match
    if (this.#text.match(/[*+?]/) !== null) throw this.#error('a repeated count');
    return (nfa, from, to) => {
      let at = nfa.state();
      nfa.empties[from]!.push({ to: at, when: 'always' });
      for (let i = 0; i < (max === Infinity ? min : max); i++) {
        if (i >= min) nfa.empties[at]!.push({ to, when: 'always' });
        const next = nfa.state();
        body(nfa, at, next);
        at = next;
      }
      if (max === Infinity) {
        const behind = nfa.state();
        body(nfa, at, behind);
        nfa.empties[behind]!.push({ to: at, when: 'always' });
      }
      nfa.empties[at]!.push({ to, when: 'always' });
    };
  }

  #atom(): Piece {
    if (this.#text.take('^')) return (nfa, from, to) => void nfa.empties[from]!.push({ to, when: 'begin' });
    if (this.#text.take('$')) return (nfa, from, to) => void nfa.empties[from]!.push({ to, when: 'end' });
    if (this.#text.take('(')) return this.#group();
    if (this.#text.take('[')) return setPiece(this.#bracket());
    if (this.#text.take('.')) return setPiece(complement(LINE_ENDS));
    if (this.#text.peek() === '\\') return setPiece(this.#escape(false));
    if ('*+?'.includes(this.#text.peek()!)) throw this.#error(`nothing to repeat`);
    return setPiece(one(this.#next()));
  }

  #group(): Piece {
    if (this.#text.peek() === '?' && this.#text.match(/\?:|\?<[A-Za-z_$][\w$]*>/) === null) {
      const looks = /^\?<?[=!]/.test(this.#text.source.slice(this.#text.at));
      throw this.#error(looks ? 'looking around ("(?=", "(?!", "(?<=", "(?<!"), which is not supported,' : 'a group of a kind that is not supported');
    }
    const body = this.#choice();
    if (!this.#text.take(')')) throw this.#error('a "(" without its ")"');
    return body;
  }

  /** At a backslash. */
  #escape(inClass: boolean): CharSet {
    const property = this.#text.match(/\\([pP])\{(\w+(?:=\w+)?)\}/);
    if (property !== null) {
      try {
        return classSet(property[0]);
      } catch (cause) {
        throw cause instanceof SyntaxError ? this.#error(`the unknown property "${property[2]}"`) : cause;
      }
    }
    const pair = this.#text.match(/\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/);
    if (pair !== null) return one(String.fromCharCode(parseInt(pair[1]!, 16), parseInt(pair[2]!, 16)).codePointAt(0)!);
    const hex = this.#text.match(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})/);
    if (hex !== null) {
      const c = parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      if (c > LAST_CHARACTER) throw this.#error('an escape that is no character');
      return one(c);
    }
    const control = this.#text.match(/\\c([A-Za-z])/);
    if (control !== null) return one(control[1]!.charCodeAt(0) & 31);
    this.#text.at++;
    const letter = String.fromCodePoint(this.#next());
    switch (letter) {
      case 'd':
        return DIGITS;
      case 'D':
        return complement(DIGITS);
      case 'w':
        return WORDS;
      case 'W':
        return complement(WORDS);
      case 's':
        return classSet(String.raw`\s`);
      case 'S':
        return complement(classSet(String.raw`\s`));
      default:
    }
    if (inClass && letter === 'b') return one(8);
    if (letter === 'b' || letter === 'B') throw this.#error('a word boundary ("\\b"), which is not supported,');
    if (Object.hasOwn(CONTROLS, letter)) return one(CONTROLS[letter]!);
    if (/[1-9k]/.test(letter)) throw this.#error('a back reference, which is not supported,');
    if (/[a-zA-Z]/.test(letter)) throw this.#error(`"\\${letter}", which is not supported,`);
    return one(letter.codePointAt(0)!);
  }

  /** The rest of a class, behind its bracket. */
  #bracket(): CharSet {
    const negated = this.#text.take('^');
    let set: CharSet = [];
    while (!this.#text.take(']')) {
      const low = this.#member(), next = this.#text.peek(1);
      const isOne = low.length === 2 && low[1] === low[0]! + 1;
      if (!isOne || this.#text.peek() !== '-' || next === ']' || next === undefined) {
        set = union(set, low);
        continue;
      }
      this.#text.at++;
      const high = this.#member();
      if (high.length !== 2 || high[1] !== high[0]! + 1 || high[0]! < low[0]!) throw this.#error('a range that is none');
      set = union(set, [low[0]!, high[1]!]);
    }
    return negated ? complement(set) : set;
  }

  #member(): CharSet {
    return this.#text.peek() === '\\' ? this.#escape(true) : one(this.#next());
  }
}

function setPiece(set: CharSet): Piece {
  return (nfa, from, to) => {
    for (let i = 0; i < set.length; i += 2) nfa.edges[from]!.push([set[i]!, set[i + 1]! - 1, to]);
  };
}
