// Where a parse can be: sets of (state, stack) pairs, each set kept once, with its steps remembered. Layer: engine (pure).
// Stacks are linked lists that share their tails, each frame kept once too, so that equal situations are the same object.

import type { Automaton, Closure } from './automaton.ts';

/** The states to go on from, innermost first. */
export type Frame = { readonly id: number; readonly to: number; readonly parent: Frame | null; readonly depth: number };
export type Thread = { readonly state: number; readonly stack: Frame | null };

/** What a parse can be at; `ends` if it may also be over (its stack's bottom was reached). */
export type Configuration = {
  readonly id: number;
  readonly threads: readonly Thread[];
  readonly ends: boolean;
  /** By byte; null where nothing goes on and nothing has ended. */
  next: (Configuration | null | undefined)[] | undefined;
  mask: Uint32Array | undefined;
};

/** Readings of one text that are followed at once. Beyond it the later ones are dropped: fewer outputs, none of them wrong. */
const MAX_THREADS = 512;

/** All configurations of one automaton above one depth. */
export class Configurations {
  readonly automaton: Automaton;
  readonly #base: number;
  #frames = new Map<string, Frame>();
  #sets = new Map<string, Configuration>();
  #ids = 0;

  /** @param base frames that are thought to lie below the bottom: what may still be pushed is less by so many */
  constructor(automaton: Automaton, base: number) {
    this.automaton = automaton;
    this.#base = base;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#sets.size;
  }

  /** Forgets all; those in use go on as they are. */
  clear(): void {
    this.#frames = new Map();
    this.#sets = new Map();
  }

  /** Where a parse is that enters a state on a stack. */
  enter(state: number, stack: Frame | null): Configuration | null {
    const threads = new Map<string, Thread>();
    const ends = this.#enter(state, stack, threads);
    return this.#intern(threads, ends);
  }

  /** Where it is after a byte. */
  step(from: Configuration, byte: number): Configuration | null {
    const known = from.next?.[byte];
    if (known !== undefined) return known;
    const threads = new Map<string, Thread>();
    let ends = false;
    for (const { state, stack } of from.threads) {
      for (const { low, high, to } of this.automaton.bytes[state]!) {
        if (byte >= low && byte <= high && this.#enter(to, stack, threads)) ends = true;
      }
    }
    from.next ??= new Array<Configuration | null | undefined>(256).fill(undefined);
    return from.next[byte] = this.#intern(threads, ends);
  }

  /** @returns whether the bottom was reached */
  #enter(first: number, below: Frame | null, threads: Map<string, Thread>): boolean {
    const { closures, need, maxDepth } = this.automaton;
    for (let state = first, stack = below;;) {
      const depth = this.#base + (stack?.depth ?? 0), closure: Closure = closures[state]!;
      for (const entry of closure.entries) {
        if (threads.size >= MAX_THREADS) break;
        let top = stack, fits = true;
        for (const to of entry.pushes) {
          if (this.#base + (top?.depth ?? 0) + need[to]! > maxDepth) fits = false;
          if (fits) top = this.#push(to, top);
        }
        if (!fits || this.#base + (top?.depth ?? 0) + need[entry.state]! > maxDepth) continue;
        threads.set(`${entry.state},${top?.id ?? ''}`, { state: entry.state, stack: top });
      }
      if (!closure.returns || depth > maxDepth) return false;
      if (stack === null) return true;
      state = stack.to;
      stack = stack.parent;
    }
  }

  #push(to: number, parent: Frame | null): Frame {
    const key = `${to},${parent?.id ?? ''}`;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      frame = { id: this.#ids++, to, parent, depth: (parent?.depth ?? 0) + 1 };
      this.#frames.set(key, frame);
    }
    return frame;
  }

  #intern(threads: ReadonlyMap<string, Thread>, ends: boolean): Configuration | null {
    if (threads.size === 0 && !ends) return null;
    const key = [...threads.keys()].sort().join(';') + (ends ? '!' : '');
    let found = this.#sets.get(key);
    if (found === undefined) {
      found = { id: this.#ids++, threads: [...threads.values()], ends, next: undefined, mask: undefined };
      this.#sets.set(key, found);
    }
    return found;
  }
}
