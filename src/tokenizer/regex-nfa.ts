// From a parsed regular expression to a nondeterministic automaton. Layer: tokenizer (pure).
// Source: Thompson 1968; priorities as in Cox, "Regular Expression Matching: the Virtual Machine Approach" (2009).

import { complement, intersection, union, type CharSet } from './char-set.ts';
import { RegexError, type Regex } from './regex-syntax.ts';

/** One state: take a character, pass an assertion, go two ways (the first preferred), or accept. */
export type NfaState =
  | { readonly kind: 'take'; readonly set: CharSet; next: number }
  | { readonly kind: 'guard'; readonly set: CharSet; readonly atEnd: boolean; next: number }
  | { readonly kind: 'fork'; next: number; other: number }
  | { readonly kind: 'accept' };

/** States of an automaton; the largest of a known tokenizer has some 60. */
const MAX_STATES = 2000;

/** What may come behind a part: its first characters, and whether all the rest can match nothing. */
interface Follow {
  readonly first: CharSet;
  readonly nullable: boolean;
}

/** The automaton of an expression: its states and the one to begin with. */
export interface Nfa {
  readonly states: readonly NfaState[];
  readonly start: number;
}

/** @throws {RegexError} if it is too large, can match nothing, or is possessive in a way that an automaton cannot follow */
export function buildNfa(tree: Regex): Nfa {
  if (firstOf(tree).nullable) throw new RegexError('a pattern that can match nothing');
  const builder = new Builder(), accept = builder.add({ kind: 'accept' });
  const start = builder.build(tree, accept, { first: [], nullable: true });
  return { states: builder.states, start };
}

/** The first characters of an expression, and whether it can match nothing. */
function firstOf(tree: Regex): Follow {
  switch (tree.kind) {
    case 'set':
      return { first: tree.set, nullable: false };
    case 'guard':
      return { first: tree.set, nullable: true };
    case 'sequence':
      return tree.parts.reduceRight<Follow>((rest, part) => joined(firstOf(part), rest), { first: [], nullable: true });
    case 'choice': {
      const options = tree.options.map(firstOf);
      return { first: options.reduce<CharSet>((all, { first }) => union(all, first), []), nullable: options.some(({ nullable }) => nullable) };
    }
    case 'repeat': {
      const body = firstOf(tree.body);
      return { first: tree.max === 0 ? [] : body.first, nullable: tree.min === 0 || body.nullable };
    }
    default:
      return tree satisfies never;
  }
}

function joined(part: Follow, rest: Follow): Follow {
  return part.nullable ? { first: union(part.first, rest.first), nullable: rest.nullable } : part;
}

class Builder {
  readonly states: NfaState[] = [];

  add(state: NfaState): number {
    if (this.states.length >= MAX_STATES) throw new RegexError(`a pattern with more than ${MAX_STATES} states`);
    return this.states.push(state) - 1;
  }

  /** Adds an expression whose match goes on at `next`. @returns where it begins */
  build(tree: Regex, next: number, follow: Follow): number {
    switch (tree.kind) {
      case 'set':
        return this.add({ kind: 'take', set: tree.set, next });
      case 'guard':
        return this.add({ kind: 'guard', set: tree.set, atEnd: tree.atEnd, next });
      case 'sequence': {
        let at = next, after = follow;
        for (const part of [...tree.parts].reverse()) {
          at = this.build(part, at, after);
          after = part.kind === 'guard' ? { first: intersection(part.set, after.nullable ? [0, 0x110000] : after.first), nullable: false } : joined(firstOf(part), after);
        }
        return at;
      }
      case 'choice': {
        const starts = tree.options.map((option) => this.build(option, next, follow));
        return starts.reduceRight((other, start) => this.add({ kind: 'fork', next: start, other }));
      }
      case 'repeat':
        return this.#repeat(tree, next, follow);
      default:
        return tree satisfies never;
    }
  }

  #repeat({ body, min, max, mode }: Regex & { kind: 'repeat' }, next: number, follow: Follow): number {
    const own = firstOf(body);
    if (mode === 'possessive' && !follow.nullable && (body.kind !== 'set' || intersection(own.first, follow.first).length > 0)) {
      throw new RegexError('a possessive repetition of what also comes behind it');
    }
    if (own.nullable) throw new RegexError('a repetition of what can match nothing');
    const inner: Follow = { first: union(own.first, follow.first), nullable: follow.nullable };
    const fork = (to: number): number => this.add(mode === 'lazy' ? { kind: 'fork', next, other: to } : { kind: 'fork', next: to, other: next });
    let at = next;
    if (max === Infinity) {
      const loop = this.add({ kind: 'fork', next, other: next }) as number, state = this.states[loop] as NfaState & { kind: 'fork' };
      const start = this.build(body, loop, inner);
      if (mode === 'lazy') state.other = start;
      else state.next = start;
      at = loop;
    } else for (let i = min; i < max; i++) at = fork(this.build(body, at, inner));
    for (let i = 0; i < min; i++) at = this.build(body, at, inner);
    return at;
  }
}

/**
 * Classes of characters that no set of the automaton tells apart.
 *
 * @returns the class of each code point, how many there are, and a character of each
 */
export function alphabetOf(states: readonly NfaState[]): { classes: Uint8Array; count: number; sample: number[] } {
  const sets = states.flatMap((state) => (state.kind === 'take' || state.kind === 'guard' ? [state.set] : []));
  const parts = new Map<string, CharSet>([['', [0, 0x110000]]]);
  const seen = new Set<CharSet>();
  for (const set of sets) {
    if (seen.has(set)) continue;
    seen.add(set);
    const other = complement(set);
    for (const [key, part] of [...parts]) {
      parts.delete(key);
      for (const [mark, half] of [['1', intersection(part, set)], ['0', intersection(part, other)]] as const) if (half.length > 0) parts.set(key + mark, half);
    }
    if (parts.size > 250) throw new RegexError('a pattern with more than 250 classes of characters');
  }
  const classes = new Uint8Array(0x110000), sample: number[] = [];
  [...parts.values()].forEach((part, kind) => {
    for (let i = 0; i < part.length; i += 2) classes.fill(kind, part[i], part[i + 1]);
    sample.push(part[0]!);
  });
  return { classes, count: sample.length, sample };
}
