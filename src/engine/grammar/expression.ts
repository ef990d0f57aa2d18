// What grammars, schemas and expressions are turned into, and how that becomes an automaton. Layer: engine (pure).

import { AutomatonBuilder, finishAutomaton, type Automaton } from './automaton.ts';
import type { Dfa } from './dfa.ts';
import { CharacterEdges } from './utf8.ts';

/** A language of byte strings. */
export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  /** Characters: [low, high, low, high, …], both included. */
  | { readonly kind: 'characters'; readonly ranges: readonly number[] }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly options: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly body: Expression; readonly min: number; readonly max: number }
  | { readonly kind: 'rule'; readonly name: string }
  /** An automaton over characters; with `json` as they stand between the quotes of a JSON string. */
  | { readonly kind: 'dfa'; readonly dfa: Dfa; readonly json: boolean };

export const text = (value: string): Expression => ({ kind: 'text', text: value });
export const sequence = (...parts: Expression[]): Expression => ({ kind: 'sequence', parts });
export const choice = (...options: Expression[]): Expression => (options.length === 1 ? options[0]! : { kind: 'choice', options });
export const optional = (body: Expression): Expression => choice(body, sequence());
export const repeat = (body: Expression, min: number, max = Infinity): Expression => ({ kind: 'repeat', body, min, max });
export const rule = (name: string): Expression => ({ kind: 'rule', name });
export const characters = (...ranges: number[]): Expression => ({ kind: 'characters', ranges });
/** What nothing matches. */
export const NEVER: Expression = { kind: 'choice', options: [] };
export const isNever = (expression: Expression): boolean => expression.kind === 'choice' && expression.options.length === 0;

/** Rules by name; `root` is where answers begin. */
export type RuleSet = ReadonlyMap<string, Expression>;

/**
 * The automaton of a set of rules.
 *
 * @throws {ConfigError} if nothing matches or a rule is left-recursive
 * @throws {CapacityError} if it would be too large
 */
export function automatonOf(rules: RuleSet, root: string): Automaton {
  const lowering = new Lowering(rules);
  return finishAutomaton(lowering.builder, lowering.all(root));
}

/** Short escapes of JSON, by character. */
const ESCAPES: ReadonlyMap<number, string> = new Map([[0x22, '"'], [0x5c, '\\'], [8, 'b'], [9, 't'], [10, 'n'], [12, 'f'], [13, 'r']]);

class Lowering {
  readonly builder = new AutomatonBuilder();
  readonly #edges = new CharacterEdges(this.builder);
  readonly #rules: RuleSet;
  readonly #ids = new Map<string, number>();
  readonly #open: string[] = [];

  constructor(rules: RuleSet) {
    this.#rules = rules;
  }

  all(root: string): number {
    const first = this.#rule(root);
    while (this.#open.length > 0) {
      const name = this.#open.pop()!, end = this.builder.state();
      this.builder.finals[end] = true;
      this.#lower(this.#rules.get(name)!, this.builder.starts[this.#ids.get(name)!]!, end);
    }
    return first;
  }

  #rule(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.builder.rule(name);
    this.#ids.set(name, id);
    this.#open.push(name);
    return id;
  }

  #lower(expression: Expression, from: number, to: number): void {
    const { builder } = this;
    switch (expression.kind) {
      case 'text':
        return this.#text(expression.text, from, to);
      case 'characters':
        for (let i = 0; i < expression.ranges.length; i += 2) this.#edges.add(from, expression.ranges[i]!, expression.ranges[i + 1]!, to);
        return;
      case 'sequence': {
        let at = from;
        expression.parts.forEach((part, i) => {
          const next = i === expression.parts.length - 1 ? to : builder.state();
          this.#lower(part, at, next);
          at = next;
        });
        if (expression.parts.length === 0) builder.empty(from, to);
        return;
      }
      case 'choice':
        for (const option of expression.options) this.#lower(option, from, to);
        return;
      case 'repeat':
        return this.#repeat(expression, from, to);
      case 'rule':
        return builder.call(from, this.#rule(expression.name), to);
      case 'dfa':
        return this.#dfa(expression.dfa, expression.json, from, to);
      default:
        expression satisfies never;
    }
  }

  #text(value: string, from: number, to: number): void {
    const bytes = new TextEncoder().encode(value);
    let at = from;
    bytes.forEach((byte, i) => {
      const next = i === bytes.length - 1 ? to : this.builder.state();
      this.builder.byte(at, byte, byte, next);
      at = next;
    });
    if (bytes.length === 0) this.builder.empty(from, to);
  }

  #repeat({ body, min, max }: { body: Expression; min: number; max: number }, from: number, to: number): void {
    const { builder } = this;
    let at = builder.state(); // of its own, so that a loop does not reach what stands beside it
    builder.empty(from, at);
    for (let i = 0; i < min; i++) {
      const next = builder.state();
      this.#lower(body, at, next);
      at = next;
    }
    if (max === Infinity) {
      const behind = builder.state();
      this.#lower(body, at, behind);
      builder.empty(behind, at);
    } else {
      for (let i = min; i < max; i++) {
        const next = builder.state();
        builder.empty(at, to);
        this.#lower(body, at, next);
        at = next;
      }
    }
    builder.empty(at, to);
  }

  #dfa(dfa: Dfa, json: boolean, from: number, to: number): void {
    const { builder } = this, states = dfa.edges.map(() => builder.state());
    builder.empty(from, states[0]!);
    dfa.edges.forEach((edges, s) => {
      if (dfa.accepts[s]) builder.empty(states[s]!, to);
      let slash = -1, control = -1;
      for (const [low, high, target] of edges) {
        const next = states[target]!;
        if (!json) {
          this.#edges.add(states[s]!, low, high, next);
          continue;
        }
        for (const [a, b] of [[0x20, 0x21], [0x23, 0x5b], [0x5d, 0x10ffff]] as const) {
          if (Math.max(low, a) <= Math.min(high, b)) this.#edges.add(states[s]!, Math.max(low, a), Math.min(high, b), next);
        }
        for (let c = 0; c <= 0x5c; c++) {
          if (c < low || c > high || (c >= 0x20 && c !== 0x22 && c !== 0x5c)) continue;
          if (slash < 0) builder.byte(states[s]!, 0x5c, 0x5c, slash = builder.state());
          const short = ESCAPES.get(c);
          if (short !== undefined) this.#text(short, slash, next);
          else {
            if (control < 0) this.#text('u00', slash, control = builder.state());
            this.#text(c.toString(16).padStart(2, '0'), control, next);
          }
        }
      }
    });
  }
}
