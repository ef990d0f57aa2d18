// A constraint on an answer by an automaton over bytes: which tokens may come next, and which one came. Layer: engine (pure).
// For each state the vocabulary is walked once as if nothing were known of the stack: most tokens are decided by that
// (XGrammar, Dong et al. 2024, arXiv 2411.15100, section 3.1). Where a token leaves the rule, the walk is gone on with on
// the true stack. Masks are kept by configuration, so that a situation that was met before costs one copy.

import type { Constraint } from '../constraint.ts';
import type { Automaton } from './automaton.ts';
import { Configurations, type Configuration } from './configurations.ts';
import { shortestEnds } from './distance.ts';
import { tokenTrie, type TokenTrie, type Vocabulary } from './vocabulary.ts';

/** Bytes of masks, and number of configurations (some 2.5 kB each), that a grammar keeps. */
const MASK_BYTES = 64e6;
const MAX_CONFIGURATIONS = 20_000;

/** Of one state: tokens that stay in its rule, and nodes of the trie at which the rule is over and tokens go on. */
type StateMask = { readonly allowed: Uint32Array; readonly leaves: readonly number[] };

/** A grammar over one vocabulary: what all its constraints share. */
export class CompiledGrammar {
  readonly #automaton: Automaton;
  readonly #vocabulary: Vocabulary;
  readonly #stops: ReadonlySet<number>;
  readonly #full: Configurations;
  readonly #local: Configurations;
  #states = new Map<number, StateMask>();
  #maskBytes = 0;
  #ends: Float64Array | undefined;

  constructor(automaton: Automaton, vocabulary: Vocabulary) {
    this.#automaton = automaton;
    this.#vocabulary = vocabulary;
    this.#stops = new Set(vocabulary.stopIds);
    this.#full = new Configurations(automaton, 0);
    this.#local = new Configurations(automaton, automaton.maxDepth >> 1);
  }

  /** States of the automaton. */
  get states(): number {
    return this.#automaton.bytes.length;
  }

  /** A constraint at the beginning of an answer. */
  start(): Matcher {
    return new Matcher(this, this.#full.enter(this.#automaton.start, null)!);
  }

  isStop(id: number): boolean {
    return this.#stops.has(id);
  }

  /** The fewest bytes with which an answer ends from a configuration. */
  bytesToEnd(at: Configuration): number {
    if (at.ends) return 0;
    const ends = this.#ends ??= shortestEnds(this.#automaton), { bytes } = this.#automaton;
    let least = Infinity;
    for (const thread of at.threads) {
      let own = Infinity;
      for (const { to } of bytes[thread.state]!) own = Math.min(own, 1 + ends[to]!);
      for (let frame = thread.stack; frame !== null; frame = frame.parent) own += ends[frame.to]!;
      least = Math.min(least, own);
    }
    return least;
  }

  /** Where a token leads; null if it may not come. */
  take(from: Configuration, id: number): Configuration | null {
    const bytes = id >= 0 && id < this.#vocabulary.size ? this.#vocabulary.bytesOf(id) : undefined;
    if (bytes === undefined || bytes.length === 0) return null;
    let at: Configuration | null = from;
    for (let i = 0; i < bytes.length && at !== null; i++) at = this.#full.step(at, bytes[i]!);
    return at;
  }

  /** The tokens that may come at a configuration. Not to be changed. */
  mask(at: Configuration): Uint32Array {
    if (at.mask !== undefined) return at.mask;
    this.#makeRoom();
    const trie = tokenTrie(this.#vocabulary), mask = new Uint32Array(trie.words);
    for (const { state, stack } of at.threads) {
      const depth = stack?.depth ?? 0;
      if (depth > this.#automaton.maxDepth >> 1) { // near the bound on depth: nothing is known without the stack
        const alone = this.#full.enter(state, stack);
        if (alone !== null) this.#walk(trie, 0, alone, this.#full, mask);
        continue;
      }
      const { allowed, leaves } = this.#stateMask(trie, state);
      for (let word = 0; word < mask.length; word++) mask[word]! |= allowed[word]!;
      if (stack === null || leaves.length === 0) continue;
      const after = this.#full.enter(stack.to, stack.parent);
      if (after !== null) { for (const node of leaves) this.#walk(trie, node, after, this.#full, mask); }
    }
    if (at.ends) { for (const id of this.#stops) mask[id >> 5]! |= 1 << (id & 31); }
    this.#maskBytes += mask.byteLength;
    return at.mask = mask;
  }

  #stateMask(trie: TokenTrie, state: number): StateMask {
    const known = this.#states.get(state);
    if (known !== undefined) return known;
    const allowed = new Uint32Array(trie.words), leaves: number[] = [], start = this.#local.enter(state, null);
    if (start !== null) this.#walk(trie, 0, start, this.#local, allowed, leaves);
    this.#maskBytes += allowed.byteLength + leaves.length * 8;
    const made = { allowed, leaves };
    this.#states.set(state, made);
    return made;
  }

  /** Sets the bits of the tokens below a node that can be taken from a configuration, and notes where the bottom was reached. */
  #walk(trie: TokenTrie, root: number, start: Configuration, space: Configurations, mask: Uint32Array, leaves?: number[]): void {
    const { byte, end, depth, first, tokens } = trie, path: Configuration[] = [start], base = depth[root]!, last = end[root]!;
    for (let node = root + 1; node < last;) {
      const level = depth[node]! - base, from = path[level - 1]!;
      let to = from.next?.[byte[node]!];
      if (to === undefined) to = space.step(from, byte[node]!);
      if (to === null) {
        node = end[node]!;
        continue;
      }
      for (let i = first[node]!; i < first[node + 1]!; i++) mask[tokens[i]! >> 5]! |= 1 << (tokens[i]! & 31);
      if (to.ends && end[node]! > node + 1) leaves?.push(node);
      path[level] = to;
      node = to.threads.length === 0 ? end[node]! : node + 1;
    }
  }

  /** Keeps memory bounded: forgets everything when there is too much of it. */
  #makeRoom(): void {
    if (this.#maskBytes < MASK_BYTES && this.#full.size + this.#local.size < MAX_CONFIGURATIONS) return;
    this.#full.clear();
    this.#local.clear();
    this.#states = new Map();
    this.#maskBytes = 0;
  }
}

/** One answer's place in a grammar. */
export class Matcher implements Constraint {
  readonly #grammar: CompiledGrammar;
  #at: Configuration;
  #over = false;

  constructor(grammar: CompiledGrammar, at: Configuration, over = false) {
    this.#grammar = grammar;
    this.#at = at;
    this.#over = over;
  }

  get canEnd(): boolean {
    return this.#over || this.#at.ends;
  }

  get mustEnd(): boolean {
    return this.#over || (this.#at.ends && this.#at.threads.length === 0);
  }

  fillMask(mask: Uint32Array): void {
    if (this.#over) {
      mask.fill(0);
      return;
    }
    const allowed = this.#grammar.mask(this.#at);
    if (mask.length > allowed.length) mask.fill(0, allowed.length);
    mask.set(mask.length < allowed.length ? allowed.subarray(0, mask.length) : allowed);
  }

  accept(id: number): boolean {
    if (this.#over) return false;
    if (this.#grammar.isStop(id)) return this.#over = this.#at.ends;
    const to = this.#grammar.take(this.#at, id);
    if (to === null) return false;
    this.#at = to;
    return true;
  }

  /** The fewest bytes with which the answer can end from here. */
  get bytesToEnd(): number {
    return this.#over ? 0 : this.#grammar.bytesToEnd(this.#at);
  }

  fork(): Matcher {
    return new Matcher(this.#grammar, this.#at, this.#over);
  }
}
