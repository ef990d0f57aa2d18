// Deterministic automata over characters: made from small non-deterministic ones, intersected, subtracted, made smallest.
// Layer: engine (pure). Source: Hopcroft, Motwani & Ullman, Introduction to Automata Theory, chapters 2 to 4.

import { CapacityError } from '../../base/errors.ts';

/** Edges [low, high, to] of each state, sorted and disjoint, both ends included; state 0 is first. */
export type Dfa = { readonly edges: readonly (readonly (readonly [number, number, number])[])[]; readonly accepts: readonly boolean[] };

/** States without determinism. `empties` are taken freely; `ends` only behind the last character, `begins` only before the first. */
export class Nfa {
  readonly edges: [number, number, number][][] = [];
  readonly empties: { to: number; when: 'always' | 'begin' | 'end' }[][] = [];

  state(): number {
    if (this.edges.length > 50_000) throw tooLarge(this.edges.length);
    this.edges.push([]);
    this.empties.push([]);
    return this.edges.length - 1;
  }
}

export const LAST_CHARACTER = 0x10ffff;
const MAX_STATES = 20_000;
/** Refinement takes a round for each state of a chain: larger automata only lose what cannot end. */
const MINIMISED = 400;

const tooLarge = (need: number): CapacityError => new CapacityError(`Cannot compile an expression: it needs more than ${MAX_STATES} states: lower its counts`, { need, have: MAX_STATES });

/** Numbers sets of things, in the order in which they are met. */
class Numbering<T> {
  readonly items: T[] = [];
  readonly #ids = new Map<string, number>();

  of(key: string, item: T): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.items.length >= MAX_STATES) throw tooLarge(this.items.length + 1);
    this.#ids.set(key, this.items.length);
    this.items.push(item);
    return this.items.length - 1;
  }
}

/** The automaton with one state at a time; `final` is the NFA's only end. */
export function determinise(nfa: Nfa, start: number, final: number): Dfa {
  const close = (states: Iterable<number>, isFirst: boolean, isLast: boolean): Set<number> => {
    const seen = new Set(states), open = [...seen];
    while (open.length > 0) {
      for (const { to, when } of nfa.empties[open.pop()!]!) {
        if (seen.has(to) || (when === 'begin' && !isFirst) || (when === 'end' && !isLast)) continue;
        seen.add(to);
        open.push(to);
      }
    }
    return seen;
  };
  const sets = new Numbering<{ states: number[]; isFirst: boolean }>(), edges: [number, number, number][][] = [], accepts: boolean[] = [];
  const number = (states: Set<number>, isFirst: boolean): number => {
    const sorted = [...states].sort((a, b) => a - b);
    return sets.of(`${isFirst ? '^' : ''}${sorted.join()}`, { states: sorted, isFirst });
  };
  number(close([start], true, false), true);
  for (let s = 0; s < sets.items.length; s++) {
    const { states, isFirst } = sets.items[s]!;
    accepts.push(close(states, isFirst, true).has(final));
    const own: [number, number, number][] = [];
    for (const [low, high, targets] of splitRanges(states.flatMap((state) => nfa.edges[state]!))) own.push([low, high, number(close(targets, false, false), false)]);
    edges.push(own);
  }
  return minimise({ edges, accepts });
}

/** Cuts overlapping ranges at their boundaries. */
function* splitRanges(edges: readonly (readonly [number, number, number])[]): Iterable<[number, number, Set<number>]> {
  const cuts = [...new Set(edges.flatMap(([low, high]) => [low, high + 1]))].sort((a, b) => a - b);
  for (let i = 0; i + 1 < cuts.length; i++) {
    const targets = new Set<number>();
    for (const [low, high, to] of edges) if (low <= cuts[i]! && high >= cuts[i]!) targets.add(to);
    if (targets.size > 0) yield [cuts[i]!, cuts[i + 1]! - 1, targets];
  }
}

/** What both accept, or with `without` what the first accepts and the second does not. */
export function combine(a: Dfa, b: Dfa, without = false): Dfa {
  const pairs = new Numbering<[number, number]>(), edges: [number, number, number][][] = [], accepts: boolean[] = [];
  const number = (p: number, q: number): number => pairs.of(`${p},${q}`, [p, q]);
  number(0, 0);
  for (let s = 0; s < pairs.items.length; s++) {
    const [p, q] = pairs.items[s]!, own: [number, number, number][] = [], others = q < 0 ? [] : b.edges[q]!;
    accepts.push(a.accepts[p]! && (q >= 0 && b.accepts[q]!) !== without);
    for (const [low, high, to] of a.edges[p]!) {
      let at = low;
      for (const [l, h, t] of others) {
        if (h < at || l > high) continue;
        if (without && l > at) own.push([at, l - 1, number(to, -1)]);
        own.push([Math.max(l, at), Math.min(h, high), number(to, t)]);
        at = Math.min(h, high) + 1;
      }
      if (without && at <= high) own.push([at, high, number(to, -1)]);
    }
    edges.push(own);
  }
  return minimise({ edges, accepts });
}

/** The smallest automaton of the same language (Moore's refinement), without states that cannot end. */
export function minimise(dfa: Dfa): Dfa {
  const count = dfa.edges.length, alive = aliveStates(dfa);
  let classes: number[] = Array.from({ length: count }, (_, s) => (!alive[s] ? -1 : count > MINIMISED ? s : dfa.accepts[s] ? 1 : 0));
  let found = new Set(classes).size;
  for (;;) {
    if (count > MINIMISED) break;
    const ids = new Map<string, number>();
    const next = classes.map((own, s) => {
      if (own < 0) return -1;
      const key = `${own}|${mergedEdges(dfa.edges[s]!, classes).join(';')}`;
      if (!ids.has(key)) ids.set(key, ids.size);
      return ids.get(key)!;
    });
    const size = ids.size + (next.includes(-1) ? 1 : 0);
    classes = next;
    if (size === found) break;
    found = size;
  }
  if (classes[0]! < 0) return { edges: [[]], accepts: [false] };
  const firstOf = new Map(classes.map((own, s) => [own, s]));
  // Numbered again in the order of a walk from the first.
  const order = [0], names = new Map([[classes[0]!, 0]]), edges: [number, number, number][][] = [];
  for (let i = 0; i < order.length; i++) {
    edges.push(mergedEdges(dfa.edges[order[i]!]!, classes).map(([low, high, own]) => {
      if (!names.has(own)) {
        names.set(own, order.length);
        order.push(firstOf.get(own)!);
      }
      return [low, high, names.get(own)!];
    }));
  }
  return { edges, accepts: order.map((s) => dfa.accepts[s]!) };
}

/** Edges by class, adjacent ones to the same class as one; without those to class -1. */
function mergedEdges(edges: readonly (readonly [number, number, number])[], classes: readonly number[]): [number, number, number][] {
  const out: [number, number, number][] = [];
  for (const [low, high, to] of edges) {
    const own = classes[to]!, last = out.at(-1);
    if (own < 0) continue;
    if (last !== undefined && last[2] === own && last[1] + 1 === low) last[1] = high;
    else out.push([low, high, own]);
  }
  return out;
}

function aliveStates(dfa: Dfa): boolean[] {
  const before: number[][] = dfa.edges.map(() => []), alive = [...dfa.accepts], open: number[] = [];
  dfa.edges.forEach((edges, s) => edges.forEach(([, , to]) => before[to]!.push(s)));
  alive.forEach((is, s) => is && open.push(s));
  while (open.length > 0) {
    for (const s of before[open.pop()!]!) {
      if (alive[s]) continue;
      alive[s] = true;
      open.push(s);
    }
  }
  return alive;
}

export const isEmpty = (dfa: Dfa): boolean => !aliveStates(dfa)[0]!;

/** All strings. */
export const ANYTHING: Dfa = { edges: [[[0, LAST_CHARACTER, 0]]], accepts: [true] };

/** Strings of so many characters. */
export function lengths(min: number, max: number): Dfa {
  const top = max === Infinity ? min : max, edges: [number, number, number][][] = [], accepts: boolean[] = [];
  if (top >= MAX_STATES) throw tooLarge(top);
  for (let n = 0; n <= top; n++) {
    accepts.push(n >= min);
    edges.push(n < top ? [[0, LAST_CHARACTER, n + 1]] : max === Infinity ? [[0, LAST_CHARACTER, n]] : []);
  }
  return { edges, accepts };
}

/** Exactly these strings. */
export function words(values: readonly string[]): Dfa {
  const nfa = new Nfa(), start = nfa.state(), final = nfa.state();
  for (const value of values) {
    let at = start;
    for (const character of value) {
      const next = nfa.state(), c = character.codePointAt(0)!;
      nfa.edges[at]!.push([c, c, next]);
      at = next;
    }
    nfa.empties[at]!.push({ to: final, when: 'always' });
  }
  return determinise(nfa, start, final);
}

/** Whether a string is accepted. */
export function accepts(dfa: Dfa, value: string): boolean {
  let at = 0;
  for (const character of value) {
    const c = character.codePointAt(0)!, edge = dfa.edges[at]!.find(([low, high]) => low <= c && c <= high);
    if (edge === undefined) return false;
    at = edge[2];
  }
  return dfa.accepts[at]!;
}
