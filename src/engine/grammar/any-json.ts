// JSON texts of any value, and the white space between tokens. Layer: engine (pure). Source: RFC 8259.

import { ANYTHING } from './dfa.ts';
import { characters, choice, optional, repeat, rule, sequence, text, type Expression } from './expression.ts';

/** Rules that schemas share. */
export class AnyJson {
  readonly #rules: Map<string, Expression>;
  readonly #prefix: string;
  readonly #gap: Expression;
  readonly comma: Expression;
  readonly colon: Expression;

  constructor(rules: Map<string, Expression>, whitespace: 'compact' | 'spaced' | 'free', prefix: string) {
    this.#rules = rules;
    this.#prefix = prefix;
    const gap = sequence(optional(text('\n')), repeat(characters(0x20, 0x20), 0, 20));
    this.#gap = whitespace === 'free' ? gap : sequence();
    const behind = whitespace === 'free' ? gap : whitespace === 'spaced' ? optional(text(' ')) : sequence();
    this.comma = sequence(this.#gap, text(','), behind);
    this.colon = sequence(this.#gap, text(':'), behind);
  }

  open(bracket: string): Expression {
    return sequence(text(bracket), this.#gap);
  }

  close(bracket: string): Expression {
    return sequence(this.#gap, text(bracket));
  }

  string(): Expression {
    return this.#once('string', () => sequence(text('"'), { kind: 'dfa', dfa: ANYTHING, json: true }, text('"')));
  }

  value(): Expression {
    return this.#once('any', () => {
      const list = (open: string, item: Expression, close: string): Expression => sequence(this.open(open), optional(sequence(item, repeat(sequence(this.comma, item), 0))), this.close(close));
      const digits = characters(0x30, 0x39), whole = choice(text('0'), sequence(characters(0x31, 0x39), repeat(digits, 0, 14)));
      const number = sequence(optional(text('-')), whole, optional(sequence(text('.'), repeat(digits, 1, 8))));
      const value = rule(`${this.#prefix}any`);
      return choice(this.string(), number, text('true'), text('false'), text('null'), list('[', value, ']'), list('{', sequence(this.string(), this.colon, value), '}'));
    });
  }

  #once(name: string, make: () => Expression): Expression {
    const full = `${this.#prefix}${name}`;
    if (!this.#rules.has(full)) {
      this.#rules.set(full, sequence()); // taken, for it may name itself
      this.#rules.set(full, make());
    }
    return rule(full);
  }
}
