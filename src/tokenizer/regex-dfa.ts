// Regular expressions that cannot run away: a deterministic automaton, built as text needs it. Layer: tokenizer (pure).
// JavaScript's own engine goes back and tries again, in the worst case for ever; this one looks at each character once.
// Alternatives are preferred in their order, as in the engines that tokenizers were made with: a state is a list of
// NFA states in order of preference, cut behind the first that accepts.
// Source: Cox, "Regular Expression Matching in the Wild" (2010), section on leftmost-first DFAs.

import { contains } from './char-set.ts';
import { alphabetOf, buildNfa, type NfaState } from './regex-nfa.ts';
import { parseRegex, RegexError, type RegexDialect } from './regex-syntax.ts';
import { codePointAt, utf8Size } from './utf8-text.ts';

/** States kept; then all are forgotten and built anew. Known patterns have about ten. */
const MAX_STATES = 4096;
/** Characters that may be looked at in vain, in all, for each character of a text: beyond, a search gives up. */
const PATIENCE = 100;
const DEAD = 0;

/** A compiled expression. */
export class RegexDfa {
  /** The class of each code point. */
  readonly classes: Uint8Array;
  readonly source: string;
  /** How far the last look went. */
  reached = 0;
  readonly #states: readonly NfaState[];
  readonly #width: number; // classes, and one more for the end of the text
  readonly #sample: readonly number[];
  readonly #first: Int32Array;
  #lists: Int32Array[] = [];
  #ids = new Map<string, number>();
  #table = new Int32Array(0); // by state and class: where the next state's row begins times two, plus one if a match ends before the character; -1 unknown

  /** @throws {RegexError} if it is not understood, or no automaton can do it */
  constructor(source: string, dialect: RegexDialect = 'oniguruma') {
    this.source = source;
    const { states, start } = buildNfa(parseRegex(source, dialect)), { classes, count, sample } = alphabetOf(states);
    this.#states = states;
    this.classes = classes;
    this.#sample = sample;
    this.#width = count + 1;
    this.#first = Int32Array.from(this.#closed(start));
    this.#reset();
  }

  /** Only the dead state and the first one, 1. */
  #reset(): void {
    this.#lists = [];
    this.#ids.clear();
    this.#table = new Int32Array(64 * this.#width).fill(-1);
    this.#idOf(new Int32Array(0));
    this.#idOf(this.#first);
  }

  #idOf(list: Int32Array): number {
    const key = list.join();
    let id = this.#ids.get(key);
    if (id !== undefined) return id;
    id = this.#lists.push(list) - 1;
    this.#ids.set(key, id);
    if ((id + 1) * this.#width > this.#table.length) {
      const larger = new Int32Array(this.#table.length * 2).fill(-1);
      larger.set(this.#table);
      this.#table = larger;
    }
    return id;
  }

  /** Where a state leads without taking a character, in order of preference. */
  #closed(state: number, out: number[] = [], seen = new Set<number>()): number[] {
    const open = [state];
    while (open.length > 0) {
      const at = open.pop()!, what = this.#states[at]!;
      if (seen.has(at)) continue;
      seen.add(at);
      if (what.kind === 'fork') open.push(what.other, what.next);
      else out.push(at);
    }
    return out;
  }

  /** The entry of the table for a state and a class (the last: the end of the text). */
  #compute(row: number, kind: number): number {
    const state = row / this.#width, atEnd = kind === this.#width - 1, sample = this.#sample[kind]!, open = [...this.#lists[state]!].reverse();
    const next: number[] = [], seen = new Set<number>(), passed = new Set<number>();
    let accepts = 0;
    while (open.length > 0) {
      const at = open.pop()!, what = this.#states[at]!;
      if (what.kind === 'accept') {
        accepts = 1;
        break;
      }
      if (what.kind === 'take') {
        if (!atEnd && contains(what.set, sample)) this.#closed(what.next, next, seen);
      } else if (what.kind === 'guard' && !passed.has(at) && (atEnd ? what.atEnd : contains(what.set, sample))) {
        passed.add(at);
        open.push(...this.#closed(what.next).reverse());
      }
    }
    const list = Int32Array.from(next);
    let id = this.#ids.get(list.join());
    if (id === undefined) {
      if (this.#lists.length >= MAX_STATES) {
        this.#reset(); // the entry of `state` is gone with the others
        return this.#idOf(list) * this.#width * 2 + accepts;
      }
      id = this.#idOf(list);
    }
    return (this.#table[row + kind] = id * this.#width * 2 + accepts);
  }

  /** The end of the match that begins at `start` in bytes[start..end), well-formed UTF-8; -1 if there is none. */
  endInBytes(bytes: Uint8Array, start: number, end: number): number {
    const classes = this.classes;
    let table = this.#table, row = this.#width, best = -1, i = start;
    while (i < end) {
      const lead = bytes[i]!, kind = lead < 0x80 ? classes[lead]! : classes[codePointAt(bytes, i)]!;
      let entry = table[row + kind]!;
      if (entry < 0) {
        entry = this.#compute(row, kind);
        table = this.#table;
      }
      if ((entry & 1) !== 0) best = i;
      row = entry >> 1;
      if (row === DEAD) {
        this.reached = i;
        return best;
      }
      i += lead < 0x80 ? 1 : utf8Size(lead);
    }
    this.reached = end;
    return this.#endOfText(row) ? end : best;
  }

  /** The same in a string, well-formed. */
  endInText(text: string, start: number): number {
    const classes = this.classes;
    let table = this.#table, row = this.#width, best = -1, i = start;
    while (i < text.length) {
      let c = text.charCodeAt(i);
      if ((c & 0xfc00) === 0xd800) c = text.codePointAt(i)!;
      const kind = classes[c]!;
      let entry = table[row + kind]!;
      if (entry < 0) {
        entry = this.#compute(row, kind);
        table = this.#table;
      }
      if ((entry & 1) !== 0) best = i;
      row = entry >> 1;
      if (row === DEAD) {
        this.reached = i;
        return best;
      }
      i += c > 0xffff ? 2 : 1;
    }
    this.reached = text.length;
    return this.#endOfText(row) ? text.length : best;
  }

  #endOfText(row: number): boolean {
    const kind = this.#width - 1;
    let entry = this.#table[row + kind]!;
    if (entry < 0) entry = this.#compute(row, kind);
    return (entry & 1) === 1;
  }

  /**
   * All matches from left to right: start, end, start, end, …
   *
   * @throws {RegexError} if it looks too often in vain (long stretches that almost match)
   */
  matches(text: string): number[] {
    const out: number[] = [];
    let work = 0;
    for (let i = 0; i < text.length;) {
      const first = this.#table[this.#width + this.classes[text.charCodeAt(i)]!]!;
      if (first === 0 && (text.charCodeAt(i) & 0xf800) !== 0xd800) { // nothing begins so, and it is no half of a character
        i++;
        continue;
      }
      const end = this.endInText(text, i);
      if (end > i) {
        out.push(i, end);
        i = end;
        continue;
      }
      work += this.reached - i;
      if (work > PATIENCE * text.length + 1e6) throw new RegexError(`a pattern that takes too long on this text (${JSON.stringify(this.source.slice(0, 60))})`);
      i += text.codePointAt(i)! > 0xffff ? 2 : 1;
    }
    return out;
  }
}
